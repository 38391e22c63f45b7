// Package kube is everything that talks to a cluster. Its one rule: it knows nothing of the screen. It turns API objects
// into small sanitised rows as they arrive, keeps them in stores, and publishes immutable snapshots that readers load
// without waiting; whatever the API server does, a reader never blocks and a store never forgets what it last knew.
package kube
