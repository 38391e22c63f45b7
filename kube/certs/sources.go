package certs

import "slices"

// all are the sources, those of this machine first.
func (i *Inventory) all() []*source {
	return slices.Concat(
		i.kubeconfigSources(), i.ownSources(), i.fileSources(),
		i.serverSources(), i.kubeletSources(), i.etcdSources(),
		i.secretSources(), i.bundleSources(), i.managedSources(), i.tokenSources(),
		i.unseenSources(),
	)
}
