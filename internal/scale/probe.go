package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// The pod that devcluster writes every 250 ms, with one restart more each time.
const (
	probeNamespace = "bench"
	probeFilter    = "aaa-probe"
	probeName      = probeNamespace + "/" + probeFilter
)

// onProbe reports whether the cursor is on the probe, and its row can be read.
func onProbe(s screen) bool { return s.strip() == probeName && restarts(s) > 0 }

// restarts reads the restarts of the probe, 0 if it is not on the screen.
func restarts(s screen) int {
	f := strings.Fields(s.row(probeName))
	if i := slices.Index(f, "Running"); i >= 0 && i+1 < len(f) {
		return number(f[i+1])
	}
	return 0
}

// sightings are when each number of restarts was seen first, in rising order. The time is zero if nobody can know,
// because the probe could not be seen before.
type sightings struct {
	counts []int
	at     []time.Time
	away   bool
}

// note adds what is seen now, 0 if nothing is.
func (s *sightings) note(now time.Time, restarts int) {
	if restarts > 0 && (len(s.counts) == 0 || restarts > s.counts[len(s.counts)-1]) {
		if s.away {
			now = time.Time{}
		}
		s.counts, s.at = append(s.counts, restarts), append(s.at, now)
	}
	s.away = restarts == 0
}

// of gives when a number was seen first, or a higher one: those that follow one another closely are seen as one.
func (s *sightings) of(restarts int) (time.Time, bool) {
	i, _ := slices.BinarySearch(s.counts, restarts)
	if i == len(s.at) || s.at[i].IsZero() {
		return time.Time{}, false
	}
	return s.at[i], true
}

// behind tells how long after each answer it was seen; what nobody can know is left out.
func behind(answers []answer, seen *sightings) spans {
	var late spans
	for _, a := range answers {
		if at, ok := seen.of(a.restarts); ok {
			late = append(late, max(0, at.Sub(a.at)))
		}
	}
	return late
}

// relayed gives the answers with the times at which they were seen; what nobody can know is left out.
func relayed(answers []answer, seen *sightings) []answer {
	var out []answer
	for _, a := range answers {
		if at, ok := seen.of(a.restarts); ok {
			out = append(out, answer{a.restarts, at})
		}
	}
	return out
}

// follow watches the probe alone, as cheaply as an API server can be asked, until it is stopped: what it sees late,
// nobody can see earlier.
func (c *cluster) follow(ctx context.Context) (stop func() (*sightings, error), err error) {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(c.dir, "admin.conf"))
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.ContentType = protobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("watch the probe: %w", err)
	}
	w, err := client.CoreV1().Pods(probeNamespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("watch the probe: %w", err)
	}
	seen, ended := &sightings{}, make(chan struct{})
	go func() {
		defer close(ended)
		for e := range w.ResultChan() {
			if p, ok := e.Object.(*corev1.Pod); ok && len(p.Status.ContainerStatuses) > 0 {
				seen.note(time.Now(), int(p.Status.ContainerStatuses[0].RestartCount))
			}
		}
	}()
	return func() (*sightings, error) {
		w.Stop()
		<-ended
		if len(seen.counts) == 0 {
			return nil, errors.New("watch the probe: the API server sent nothing")
		}
		return seen, nil
	}, nil
}
