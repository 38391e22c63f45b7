package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// tally is what a bare watch of all events has been sent until some time.
type tally struct {
	frames, streams int // streams is more than one if the API server broke one off
	at              time.Time
	late            time.Duration // after the end of the storm
}

// tallyBeat is how often the child tells its tally.
const tallyBeat = 100 * time.Millisecond

// countEvents is the child's side, and the least that a watcher of events can do: it reads frame by frame and throws away, and
// tells "FRAMES STREAMS NANOSECONDS" ten times a second. It ends with an error only.
func countEvents(ctx context.Context, config *rest.Config, out io.Writer) error {
	config.DisableCompression = true
	version, err := eventVersion(ctx, config)
	if err != nil {
		return err
	}
	var frames, streams atomic.Int64
	failed := make(chan error, 1)
	go func() {
		for {
			streams.Add(1)
			if version, err = countFrom(ctx, config, version, &frames); err != nil {
				failed <- err
				return
			}
		}
	}()
	for tick := time.Tick(tallyBeat); ; {
		select {
		case err := <-failed:
			return err
		case now := <-tick:
			if _, err := fmt.Fprintln(out, frames.Load(), streams.Load(), now.UnixNano()); err != nil {
				return fmt.Errorf("tell the tally: %w", err)
			}
		}
	}
}

// eventVersion gives the resource version of now.
func eventVersion(ctx context.Context, config *rest.Config) (string, error) {
	body, err := fetch(ctx, config, "/api/v1/events?limit=1")
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return "", fmt.Errorf("list events: %w", err)
	}
	list, err := decode[*corev1.EventList](data)
	if err != nil {
		return "", fmt.Errorf("list events: %w", err)
	}
	return list.ResourceVersion, nil
}

// countFrom watches until the API server breaks off, and gives the version of the last frame, to go on from.
func countFrom(ctx context.Context, config *rest.Config, version string, frames *atomic.Int64) (string, error) {
	body, err := fetch(ctx, config, "/api/v1/events?watch=true&resourceVersion="+url.QueryEscape(version))
	if err != nil {
		return "", err
	}
	defer body.Close()
	var last, spare []byte
	for stream := bufio.NewReaderSize(body, 64<<10); ; {
		frame, err := readFrame(stream, spare)
		if err != nil { // broken off
			break
		}
		last, spare = frame, last
		if bytes.HasPrefix(frame, failed) {
			return "", errors.New("the API server cannot go on with the watch of events from where it broke off")
		}
		frames.Add(1)
	}
	if len(last) == 0 {
		return version, nil
	}
	var e metav1.WatchEvent
	if err := e.Unmarshal(last); err != nil {
		return "", fmt.Errorf("read a frame of the watch: %w", err)
	}
	o, err := decode[*corev1.Event](e.Object.Raw)
	if err != nil {
		return "", fmt.Errorf("read an event of the watch: %w", err)
	}
	return o.ResourceVersion, nil
}
