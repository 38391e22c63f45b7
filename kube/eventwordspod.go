package kube

import (
	"strings"
)

// failedWords reads what the kubelet says under the reason Failed: of an image that cannot be pulled, or a container that cannot be made.
func failedWords(message string) string {
	if image, cause, ok := quotedAfter(message, "Failed to pull image "); ok {
		return "cannot pull " + image + ": " + rootCause(cause)
	}
	what, ok := strings.CutPrefix(message, "Error: ")
	switch {
	case !ok || what == "":
		return ""
	case what == "ErrImagePull" || what == "ImagePullBackOff" || what == "ErrImageNeverPull" || what == "InvalidImageName":
		return "the image is not there: " + what
	}
	return "container not started: " + rootCause(what)
}

// backOffWords reads what the kubelet says while it waits before it tries again.
func backOffWords(message string) string {
	if image, cause, ok := quotedAfter(message, "Back-off pulling image "); ok {
		if _, why, found := strings.Cut(cause, "ErrImagePull: "); found {
			return "cannot pull " + image + ": " + rootCause(why) + "; the kubelet waits before it tries again"
		}
		return "cannot pull " + image + "; the kubelet waits before it tries again"
	}
	rest, ok := strings.CutPrefix(message, "Back-off restarting failed container")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimSpace(rest), " in pod ")
	if name == "" {
		return "its container keeps ending; the kubelet waits before it starts it again"
	}
	return "container " + name + " keeps ending; the kubelet waits before it starts it again"
}

// pulledWords reads "Successfully pulled image "nginx" in 1.2s (1.2s including waiting). Image size: …", "Pulling image "nginx"" and
// "Container image "nginx" already present on machine".
func pulledWords(message string) string {
	if image, rest, ok := quotedAfter(message, "Successfully pulled image "); ok {
		rest = strings.TrimSuffix(rest, ".")
		return strings.TrimSpace("pulled " + image + " " + rest)
	}
	if image, _, ok := quotedAfter(strings.Replace(message, "pulling ", "Pulling ", 1), "Pulling image "); ok {
		return "pulling " + image
	}
	if image, rest, ok := quotedAfter(message, "Container image "); ok && strings.HasPrefix(rest, "already present on machine") {
		return "image " + image + " was on the node already"
	}
	return ""
}

// quotedAfter parts what stands between quotes behind a prefix from what follows; colons and spaces between them go.
func quotedAfter(message, prefix string) (quoted, rest string, ok bool) {
	after, ok := strings.CutPrefix(message, prefix+`"`)
	if !ok {
		return "", "", false
	}
	quoted, rest, ok = strings.Cut(after, `"`)
	return quoted, strings.TrimLeft(rest, ": "), ok
}

// rootCause leaves out what the layers of a runtime put before the error itself.
func rootCause(s string) string {
	for {
		rest, ok := strings.CutPrefix(s, "rpc error: code = ")
		if ok {
			_, rest, ok = strings.Cut(rest, " desc = ")
		}
		if !ok {
			break
		}
		s = rest
	}
	if _, rest, ok := quotedAfter(s, "failed to pull and unpack image "); ok && rest != "" {
		s = rest
	}
	return s
}

// probeConsequences are what the kubelet does about a probe that fails (pkg/kubelet/prober).
var probeConsequences = map[string]string{
	"liveness":  "its container is restarted",
	"readiness": "it gets no traffic from Services",
	"startup":   "its container is restarted when the time for its start is over",
}

// readProbe reads what the kubelet says of a probe that fails: "Readiness probe failed: HTTP probe failed with statuscode: 503".
func readProbe(message string) wording {
	kind, cause, ok := strings.Cut(message, " probe ")
	kind = strings.ToLower(kind)
	how, cause, told := strings.Cut(cause, ": ")
	if !ok || probeConsequences[kind] == "" {
		return wording{}
	}
	if !told || !strings.HasPrefix(how, "failed") && !strings.HasPrefix(how, "errored") && how != "warning" {
		return wording{}
	}
	words := probeWords(cause)
	return wording{
		sentence: kind + " probe " + words,
		table: EventTable{
			Title: "probe", Columns: []string{"PROBE", "WHILE IT FAILS", "IT SAYS"},
			Rows: [][]string{{kind, probeConsequences[kind], cause}},
		},
	}
}

// probeWords say how a probe fails.
func probeWords(cause string) string {
	if code, ok := strings.CutPrefix(cause, "HTTP probe failed with statuscode: "); ok {
		return "answers " + code
	}
	url, _, _ := quotedAfter(cause, "Get ")
	switch {
	case strings.Contains(cause, "connection refused"):
		if address := dialled(cause); address != "" {
			return "fails: " + address + " refuses the connection"
		}
	case url != "" && (strings.Contains(cause, "context deadline exceeded") || strings.Contains(cause, "i/o timeout") || strings.Contains(cause, "Client.Timeout")):
		return "gets no answer in time from " + url
	case dialled(cause) != "" && strings.HasSuffix(cause, "i/o timeout"):
		return "gets no answer in time from " + dialled(cause)
	}
	return "fails: " + cause
}

// dialled is the address of "dial tcp 10.0.0.1:80: …", "" if there is none.
func dialled(s string) string {
	_, rest, ok := strings.Cut(s, "dial tcp ")
	if !ok {
		return ""
	}
	address, _, _ := strings.Cut(rest, ": ")
	return address
}

// volumeWords reads which volume a pod waits for, and why: "MountVolume.SetUp failed for volume "config" : configmap "x" not found".
func volumeWords(message string) string {
	if rest, ok := strings.CutPrefix(message, "Unable to attach or mount volumes: unmounted volumes=["); ok {
		names, rest, _ := strings.Cut(rest, "]")
		why := rest[strings.LastIndex(rest, "]: ")+1:]
		return "not mounted: " + strings.ReplaceAll(names, " ", ", ") + why
	}
	if name, why, ok := quotedAfter(message, "Multi-Attach error for volume "); ok {
		return "volume " + name + " is attached to another node: " + lowerFirst(why)
	}
	step, rest, ok := strings.Cut(message, ` failed for volume "`)
	name, why, quoted := strings.Cut(rest, `"`)
	if !ok || !quoted {
		return ""
	}
	done := "mounted"
	if strings.HasPrefix(step, "Attach") {
		done = "attached"
	}
	return "volume " + name + " not " + done + ": " + rootCause(strings.TrimLeft(why, ": "))
}

// sandboxWords reads why a pod has no sandbox: the name of the sandbox, 64 characters, tells nothing.
func sandboxWords(message string) string {
	_, cause, ok := strings.Cut(message, "sandbox: ")
	if !ok {
		return ""
	}
	cause = rootCause(cause)
	if _, rest, ok := quotedAfter(cause, "failed to setup network for sandbox "); ok {
		return "no network for it: " + rest
	}
	return "no sandbox for it: " + cause
}

// badNamesWords reads "Keys [1badkey, 2alsobad] from the EnvFrom configMap default/myconfig were skipped since they are considered invalid
// environment variable names."
func badNamesWords(message string) string {
	keys, rest, ok := strings.Cut(strings.TrimPrefix(message, "Keys ["), "] from the EnvFrom ")
	source, _, skipped := strings.Cut(rest, " were skipped")
	if !ok || !skipped {
		return ""
	}
	return "keys " + keys + " of " + source + " were left out: they are no names of environment variables"
}

// evictedWords reads "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container app was using 300Mi,
// request is 0, has larger consumption of memory. " (pkg/kubelet/eviction/helpers.go).
func evictedWords(message string) string {
	rest, ok := strings.CutPrefix(message, "The node was low on resource: ")
	if !ok {
		return ""
	}
	resource, rest, _ := strings.Cut(rest, ". ")
	out := "its node was short of " + strings.TrimSuffix(resource, ".")
	if t, ok := strings.CutPrefix(rest, "Threshold quantity: "); ok {
		threshold, after, _ := strings.Cut(t, ", available: ")
		left, after, _ := strings.Cut(after, ". ")
		out += ", with " + strings.TrimSuffix(left, ".") + " left (threshold " + threshold + ")"
		rest = after
	}
	if rest = strings.TrimSuffix(strings.TrimSpace(rest), "."); rest != "" {
		out += ": " + rest
	}
	return out
}
