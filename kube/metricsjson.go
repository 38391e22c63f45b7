package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// metricsItem is a NodeMetrics, which has a usage, or a PodMetrics, which has containers, as JSON.
type metricsItem struct {
	Metadata  struct{ Namespace, Name string }
	Timestamp metav1.Time
	Window    metav1.Duration
	Usage     corev1.ResourceList
	// Containers are those of a pod.
	Containers []struct {
		Name  string
		Usage corev1.ResourceList
	}
}

func (i *metricsItem) scrape() *scrape {
	r := &scrape{
		namespace: []byte(i.Metadata.Namespace), name: []byte(i.Metadata.Name), window: i.Window.Duration, used: usedOf(i.Usage),
	}
	if !i.Timestamp.IsZero() {
		r.at = i.Timestamp.Unix()
	}
	for k := range i.Containers {
		c := scrapePart{[]byte(i.Containers[k].Name), usedOf(i.Containers[k].Usage)}
		r.add(c.used)
		r.parts = append(r.parts, c)
	}
	return r
}

func usedOf(l corev1.ResourceList) used {
	u := usedCPU(l.Cpu())
	u.Memory = l.Memory().Value()
	if swap, ok := l[resourceSwap]; ok {
		u.swap, u.swapped = swap.Value(), true
	}
	return u
}

func (u Use) plus(v Use) Use { return Use{CPU: u.CPU + v.CPU, Memory: u.Memory + v.Memory} }

// readJSON reads a list and nothing behind it.
func (l metricsList) readJSON(in *json.Decoder, each eachScrape) error {
	var is metav1.TypeMeta
	err := object(in, func(key string) error {
		switch key {
		case "kind":
			return in.Decode(&is.Kind)
		case "items":
			return array(in, func() error {
				var item metricsItem
				if err := in.Decode(&item); err != nil {
					return err
				}
				each(item.scrape())
				return nil
			})
		}
		var other json.RawMessage
		return in.Decode(&other)
	})
	if err != nil {
		return unexpected(err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("something follows the list")
		}
		return err
	}
	return l.check(is.Kind)
}

// object reads a JSON object; value reads the value that comes next.
func object(in *json.Decoder, value func(key string) error) error {
	if begin, err := in.Token(); err != nil || begin != json.Delim('{') {
		return wrong(err, "an object", begin)
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return err
		}
		if err := value(key.(string)); err != nil { // the decoder lets nothing but a string be a key
			return err
		}
	}
	_, err := in.Token()
	return err
}

// array reads a JSON array, or null, which is how Go writes one that is empty.
func array(in *json.Decoder, value func() error) error {
	begin, err := in.Token()
	if err == nil && begin == nil {
		return nil
	}
	if err != nil || begin != json.Delim('[') {
		return wrong(err, "an array", begin)
	}
	for in.More() {
		if err := value(); err != nil {
			return err
		}
	}
	_, err = in.Token()
	return err
}

func wrong(err error, want string, is json.Token) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%v is not %s", is, want)
}
