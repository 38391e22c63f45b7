package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// control is how far behind etcd the least is that could be in the place of ktriage: a bare watch of all pods, in a run
// of its own with as many changes. What the screen is behind more than that, is due to ktriage.
type control struct {
	true    float64 // changes a second, as it was
	behind  spans
	streams int // watches that were needed: more than one if the API server broke one off
}

// measureControls repeats every rate that was measured, without ktriage.
func (b *bench) measureControls(ctx context.Context) error {
	for i := range b.churned {
		c := &b.churned[i]
		var err error
		if c.control, err = b.measureControl(ctx, c.rate, len(b.rates)+1+i); err != nil {
			return err
		}
		b.say("%d changes a second without ktriage (%.0f in truth): a bare watch is behind by p50 %s p99 %s", c.rate, c.control.true,
			duration(c.control.behind.median()), duration(c.control.behind.p99()))
	}
	return nil
}

func (b *bench) measureControl(ctx context.Context, rate, seed int) (control, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // whatever goes wrong, nothing changes any more
	if err := b.settle(ctx); err != nil {
		return control{}, err
	}
	w, err := b.startWatch(ctx)
	if err != nil {
		return control{}, err
	}
	done, errChange := b.changeAll(ctx, rate, seed)
	if errChange != nil {
		return control{}, errors.Join(errChange, w.stop())
	}
	last := done.answers[len(done.answers)-1].restarts
	if err := w.await(last); errors.Is(err, errNotSeen) { // it is later than this
		b.say("%v after %s", err, patience)
		w.seen.note(time.Now(), last)
	} else if err != nil {
		return control{}, errors.Join(err, w.stop())
	}
	return control{true: done.rate, behind: behind(done.answers, &w.seen), streams: w.streams}, w.stop()
}

// changeAll lets pods change at one rate, and waits for the end.
func (b *bench) changeAll(ctx context.Context, rate, seed int) (done, error) {
	run, err := b.change(ctx, rate, b.span, seed)
	if err != nil {
		return done{}, err
	}
	return run.finish()
}

// bareWatch is a child that watches all pods.
type bareWatch struct {
	cmd     *exec.Cmd
	stderr  bytes.Buffer
	lines   chan string // closed when the child has ended
	seen    sightings
	streams int
}

var errNotSeen = errors.New("a bare watch of all pods has not seen the last change of the probe")

// mostLines is more than the child says in hours: it must never have to wait for anybody who reads what it says.
const mostLines = 1 << 16

// startWatch starts a child, and returns when it watches.
func (b *bench) startWatch(ctx context.Context) (*bareWatch, error) {
	w := &bareWatch{lines: make(chan string, mostLines)}
	var err error
	if w.cmd, err = b.command(ctx, "watch"); err != nil {
		return nil, err
	}
	w.cmd.Stderr = &w.stderr
	stdout, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start a bare watch: %w", err)
	}
	go func() {
		defer close(w.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			w.lines <- s.Text()
		}
	}()
	if err := w.read(func() bool { return w.streams > 0 }); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

// await waits until the child has seen a number of restarts of the probe.
func (w *bareWatch) await(restarts int) error {
	return w.read(func() bool { n := len(w.seen.counts); return n > 0 && w.seen.counts[n-1] >= restarts })
}

// read takes what the child says until that is enough.
func (w *bareWatch) read(enough func() bool) error {
	late := time.After(patience)
	for !enough() {
		select {
		case line, ok := <-w.lines:
			if !ok {
				return errors.New("a bare watch of all pods has ended by itself")
			}
			if err := w.note(line); err != nil {
				return err
			}
		case <-late:
			return errNotSeen
		}
	}
	return nil
}

func (w *bareWatch) note(line string) error {
	if line == watching {
		w.streams++
		return nil
	}
	a, err := readAnswer(line)
	if err == nil {
		w.seen.note(a.at, a.restarts)
	}
	return err
}

// stop ends the child, and gives what it complained of.
func (w *bareWatch) stop() error {
	_ = w.cmd.Process.Kill()
	for range w.lines { // Wait closes the pipe, which must have been read by then
	}
	_ = w.cmd.Wait() // it says that it was killed
	if complaint := bytes.TrimSpace(w.stderr.Bytes()); len(complaint) > 0 {
		return fmt.Errorf("a bare watch of all pods: %s", complaint)
	}
	return nil
}

// watching is what the child says when a watch begins.
const watching = "watching"

// watchAll is the child's side, and the least that a watcher of all pods can do: it reads frame by frame what the API
// server sends, and throws it away. Only of frames with the name of the probe it says what devcluster churn says of them:
// "RESTARTS NANOSECONDS", the time at which the frame had been read. It ends with an error only.
func watchAll(ctx context.Context, config *rest.Config, out io.Writer) error {
	config.DisableCompression = true
	version := ""
	for {
		var err error
		if version == "" {
			if version, err = currentVersion(ctx, config); err != nil {
				return err
			}
		}
		if version, err = watchFrom(ctx, config, version, out); err != nil {
			return err
		}
	}
}

// currentVersion gives the resource version of now, from a short list: a list's is that of everything.
func currentVersion(ctx context.Context, config *rest.Config) (string, error) {
	body, err := fetch(ctx, config, "/api/v1/namespaces/"+probeNamespace+"/pods")
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return "", fmt.Errorf("list the probe: %w", err)
	}
	list, err := decode[*corev1.PodList](data)
	if err != nil {
		return "", fmt.Errorf("list the probe: %w", err)
	}
	return list.ResourceVersion, nil
}

// watchFrom watches until the API server breaks off, and gives the version from which to go on: that of the last frame,
// or "" if that is too old, for the version of then.
func watchFrom(ctx context.Context, config *rest.Config, version string, out io.Writer) (string, error) {
	body, err := fetch(ctx, config, "/api/v1/pods?watch=true&resourceVersion="+url.QueryEscape(version))
	if err != nil {
		return "", err
	}
	defer body.Close()
	if _, err := fmt.Fprintln(out, watching); err != nil {
		return "", fmt.Errorf("tell of the watch: %w", err)
	}
	var last, spare []byte
	for stream := bufio.NewReaderSize(body, 64<<10); ; {
		frame, err := readFrame(stream, spare)
		if err != nil { // broken off
			return resume(last, version)
		}
		now := time.Now()
		last, spare = frame, last
		if !bytes.Contains(frame, []byte(probeFilter)) {
			continue
		}
		p, err := readPod(frame)
		if err == nil && len(p.Status.ContainerStatuses) == 0 {
			err = errors.New("the probe has no containers")
		}
		if err != nil {
			return "", err
		}
		if _, err := fmt.Fprintln(out, p.Status.ContainerStatuses[0].RestartCount, now.UnixNano()); err != nil {
			return "", fmt.Errorf("tell of the probe: %w", err)
		}
	}
}

// failed begins a frame that is no pod but an error: field 1 of metav1.WatchEvent, a string of 5 bytes.
var failed = []byte("\x0a\x05ERROR")

// resume gives the version after the last frame of a watch, which is the only one that has to be read for it.
func resume(last []byte, version string) (string, error) {
	switch {
	case len(last) == 0:
		return version, nil
	case bytes.HasPrefix(last, failed):
		return "", nil
	}
	p, err := readPod(last)
	if err != nil {
		return "", err
	}
	return p.ResourceVersion, nil
}

// readFrame reads a frame of a watch in protobuf: its length in four bytes, and that many bytes. It uses the memory of
// the frame before.
func readFrame(stream io.Reader, frame []byte) ([]byte, error) {
	frame = slices.Grow(frame[:0], 4)[:4]
	if _, err := io.ReadFull(stream, frame); err != nil {
		return frame, err
	}
	n := int(binary.BigEndian.Uint32(frame))
	frame = slices.Grow(frame[:0], n)[:n]
	_, err := io.ReadFull(stream, frame)
	return frame, err
}

// readPod reads the pod in a frame.
func readPod(frame []byte) (*corev1.Pod, error) {
	var e metav1.WatchEvent
	if err := e.Unmarshal(frame); err != nil {
		return nil, fmt.Errorf("read a frame of the watch: %w", err)
	}
	p, err := decode[*corev1.Pod](e.Object.Raw)
	if err != nil {
		return nil, fmt.Errorf("read a pod of the watch: %w", err)
	}
	return p, nil
}

// decode reads an object in the API server's protobuf.
func decode[T runtime.Object](data []byte) (T, error) {
	var wanted T
	o, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), data)
	if err != nil {
		return wanted, err
	}
	wanted, ok := o.(T)
	if !ok {
		return wanted, fmt.Errorf("it is a %T", o)
	}
	return wanted, nil
}
