// Package usage answers metrics.k8s.io for a cluster that package load made, in the place of metrics-server, for whose
// kubelets there is nobody to speak. Its one rule: what it says follows from the numbers of the nodes and pods and from
// the time alone, and it does nothing unless it is asked.
package usage

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"ktriage/devcluster/load"
)

// step is how often there are new samples, as from metrics-server with its shipped configuration.
const step = 15 * time.Second

// item is a NodeMetrics or a PodMetrics.
type item interface {
	Size() int
	Marshal() ([]byte, error)
}

// list is one list: its kind, and its items.
type list struct {
	kind  string
	items func(yield func(item) bool)
}

// nodes gives the samples of the nodes at a time; a node that is not heard of has none.
func (o Options) nodes(at time.Time) list {
	return list{"NodeMetricsList", func(yield func(item) bool) {
		for i := range o.Nodes {
			name, heard := load.NodeName(i)
			if !heard || slices.Contains(o.Without, name) {
				continue
			}
			if !yield(&metricsv1beta1.NodeMetrics{
				ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(at)},
				Timestamp:  metav1.NewTime(at), Window: metav1.Duration{Duration: step},
				Usage: use(i, at, 8_000_000_000, 40<<30),
			}) {
				return
			}
		}
	}}
}

// pods gives the samples of the pods of a namespace, "" for all; a pod that was never started has none.
func (o Options) pods(namespace string, at time.Time) list {
	return list{"PodMetricsList", func(yield func(item) bool) {
		for i := range o.Pods {
			ns, name, started := load.PodName(i)
			if !started || namespace != "" && ns != namespace || slices.Contains(o.Without, load.NodeOf(i, o.Nodes)) {
				continue
			}
			if !yield(&metricsv1beta1.PodMetrics{
				ObjectMeta: metav1.ObjectMeta{
					Name: name, Namespace: ns, CreationTimestamp: metav1.NewTime(at), Labels: load.PodLabels(i),
				},
				Timestamp: metav1.NewTime(at), Window: metav1.Duration{Duration: step},
				Containers: []metricsv1beta1.ContainerMetrics{
					{Name: "app", Usage: use(i, at, 120_000_000, 350<<20)}, {Name: "proxy", Usage: use(i+1, at, 20_000_000, 60<<20)},
				},
			}) {
				return
			}
		}
	}}
}

// use is what the i-th of them uses: of the CPU something between half and one and a half of the usual nanocores, up and
// down within 20 minutes, and of memory the same within two hours.
func use(i int, at time.Time, cpu, memory int64) corev1.ResourceList {
	swing := func(usual int64, period time.Duration) int64 {
		steps := int64(period / step)
		phase := (at.Unix()/int64(step/time.Second) + int64(i)*7919) % steps
		return usual/2 + usual*min(phase, steps-phase)*2/steps + int64(i%1009)*usual/100_000
	}
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(swing(cpu, 20*time.Minute), resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(swing(memory, 2*time.Hour)&^0xfff, resource.BinarySI),
	}
}

// compressed writes the list in a form and gives it compressed, a tenth of what it is: it is the only copy.
func (l list) compressed(apiVersion string, write func(list, string, io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed) // as kube-apiserver does
	if err != nil {
		return nil, err
	}
	if err := write(l, apiVersion, z); err != nil {
		return nil, fmt.Errorf("write a %s: %w", l.kind, err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("write a %s: %w", l.kind, err)
	}
	return b.Bytes(), nil
}

// json writes the list as JSON.
func (l list) json(apiVersion string, w io.Writer) error {
	if _, err := fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":{},"items":[`, l.kind, apiVersion); err != nil {
		return err
	}
	comma := ""
	for i := range l.items {
		text, err := json.Marshal(i)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, comma+string(text)); err != nil {
			return err
		}
		comma = ","
	}
	_, err := io.WriteString(w, "]}\n")
	return err
}

// protobuf writes the list, whose messages are the same in every version, as it is written by runtime/serializer/protobuf: "k8s\0" and a runtime.Unknown, in which the
// list, with metadata = 1 and items = 2, has its length before it. The length is found by going through the items once more.
func (l list) protobuf(apiVersion string, w io.Writer) error {
	const metadata = "\x0a\x00"
	size := len(metadata)
	for i := range l.items {
		n := i.Size()
		size += len(head(2, n)) + n
	}
	unknown := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: l.kind}}
	kind, err := unknown.TypeMeta.Marshal()
	if err != nil {
		return err
	}
	begin := append([]byte("k8s\x00"), head(1, len(kind))...)
	begin = append(append(append(begin, kind...), head(2, size)...), metadata...)
	if _, err := w.Write(begin); err != nil {
		return err
	}
	for i := range l.items {
		raw, err := i.Marshal()
		if err != nil {
			return err
		}
		if _, err := w.Write(append(head(2, len(raw)), raw...)); err != nil {
			return err
		}
	}
	_, err = w.Write(append(head(3, 0), head(4, 0)...)) // contentEncoding, contentType: none
	return err
}

// head is what is written before a field with a length.
func head(field, length int) []byte {
	b := []byte{byte(field<<3 | 2)}
	for ; length >= 0x80; length >>= 7 {
		b = append(b, byte(length)|0x80)
	}
	return append(b, byte(length))
}
