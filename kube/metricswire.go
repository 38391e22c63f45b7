package kube

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// metricsList is one of the two lists of metrics.k8s.io. A list of 150,000 pods is some 50 MB, and several hundred as
// objects of Go, of which 16 bytes for each pod are wanted: so it is read item by item, as it comes, and of each item only
// the name and the use are looked at.
type metricsList struct {
	resource, kind string
	use            func(field4 []byte) (Use, error) // what is in one field 4 of the item's protobuf
}

// The lists of k8s.io/metrics/pkg/apis/metrics/v1beta1/generated.proto.
var (
	nodeMetrics = metricsList{"nodes", "NodeMetricsList", usageEntry}
	podMetrics  = metricsList{"pods", "PodMetricsList", containerUse}
)

// eachUse is given the items of a list, one after the other. The bytes are valid until it returns.
type eachUse func(namespace, name []byte, use Use)

const (
	wireBuffer = 64 << 10
	// itemLimit is far beyond any item: whoever claims to send a longer one sends something else.
	itemLimit = 16 << 20
)

// read reads a list, protobuf or JSON, to its end. An error means that nothing of what was taken counts: the list may
// have ended early.
func (l metricsList) read(body io.Reader, each eachUse) error {
	in := bufio.NewReaderSize(body, wireBuffer)
	start, err := in.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(start) > 0 && strings.HasPrefix(magic, string(start)) {
		return l.readProtobuf(&protoStream{Reader: in}, each)
	}
	if start = bytes.TrimLeft(start, " \t\r\n"); len(start) > 0 && start[0] != '{' {
		return errors.New("the answer is neither protobuf nor JSON")
	}
	return l.readJSON(json.NewDecoder(in), each)
}

func (l metricsList) check(kind string) error {
	if kind != l.kind {
		return fmt.Errorf("the answer is of the kind %q, not %s", kind, l.kind)
	}
	return nil
}

// readProtobuf reads the envelope.
func (l metricsList) readProtobuf(in *protoStream, each eachUse) error {
	if _, err := in.take(uint64(len(magic))); err != nil {
		return err
	}
	var kind string
	for complete := false; ; {
		field, size, err := in.head()
		if complete && errors.Is(err, io.EOF) {
			return l.check(kind)
		}
		if err != nil {
			return unexpected(err)
		}
		if field == 2 {
			if err := l.readItems(in, in.at+size, each); err != nil {
				return err
			}
			complete = true
			continue
		}
		value, err := in.take(size)
		if err != nil {
			return err
		}
		if field == 1 {
			_, name, err := typeMeta(value)
			if err != nil {
				return err
			}
			kind = string(name) // the value is valid until the next one is taken
		}
	}
}

// readItems reads the list itself, which ends where the envelope says: metadata = 1, items = 2.
func (l metricsList) readItems(in *protoStream, end uint64, each eachUse) error {
	for in.at < end {
		field, size, err := in.head()
		if err != nil {
			return unexpected(err)
		}
		value, err := in.take(size)
		if err != nil {
			return err
		}
		if field == 2 {
			if err := l.readItem(value, each); err != nil {
				return err
			}
		}
	}
	if in.at > end {
		return errors.New("an item is longer than the list")
	}
	return nil
}

// readItem reads a NodeMetrics or a PodMetrics: metadata = 1, and in field 4 usage or containers.
func (l metricsList) readItem(b []byte, each eachUse) error {
	var namespace, name []byte
	var use Use
	f := fields{rest: b}
	for f.next() {
		switch f.number {
		case 1: // an ObjectMeta: name = 1, namespace = 3
			meta := fields{rest: f.value}
			for meta.next() {
				switch meta.number {
				case 1:
					name = meta.value
				case 3:
					namespace = meta.value
				}
			}
			if meta.err != nil {
				return meta.err
			}
		case 4:
			more, err := l.use(f.value)
			if err != nil {
				return err
			}
			use = use.plus(more)
		}
	}
	if f.err != nil {
		return f.err
	}
	each(namespace, name, use)
	return nil
}

// containerUse reads a ContainerMetrics: usage = 2.
func containerUse(b []byte) (Use, error) {
	var sum Use
	f := fields{rest: b}
	for f.next() {
		if f.number == 2 {
			more, err := usageEntry(f.value)
			if err != nil {
				return Use{}, err
			}
			sum = sum.plus(more)
		}
	}
	return sum, f.err
}

// usageEntry reads one entry of a map of quantities: key = 1, value = 2. Nothing but CPU and memory counts.
func usageEntry(b []byte) (Use, error) {
	var key, value []byte
	f := fields{rest: b}
	for f.next() {
		switch f.number {
		case 1:
			key = f.value
		case 2:
			value = f.value
		}
	}
	if f.err != nil {
		return Use{}, f.err
	}
	switch string(key) {
	case string(corev1.ResourceCPU):
		n, err := quantity(value, "n", (*resource.Quantity).MilliValue)
		return Use{CPU: n}, err
	case string(corev1.ResourceMemory):
		n, err := quantity(value, "Ki", (*resource.Quantity).Value)
		return Use{Memory: n}, err
	}
	return Use{}, nil
}

// quantity reads a Quantity: its text = 1, no text for zero. Of whole numbers with the unit that metrics-server mostly has,
// nanocores and KiB, it is read at once; everything else is the library's business.
func quantity(b []byte, unit string, library func(*resource.Quantity) int64) (int64, error) {
	var text []byte
	f := fields{rest: b}
	for f.next() {
		if f.number == 1 {
			text = f.value
		}
	}
	if f.err != nil || len(text) == 0 {
		return 0, f.err
	}
	if n, after := digits(text); string(after) == unit && len(after) < len(text) {
		if unit == "n" {
			return (n + nano - 1) / nano, nil // rounded up, as MilliValue does
		}
		return n << 10, nil
	}
	q, err := resource.ParseQuantity(string(text))
	if err != nil {
		return 0, fmt.Errorf("read the quantity %q: %w", text, err)
	}
	return library(&q), nil
}

// nano is how many nanocores make a millicore.
const nano = 1_000_000

// digits reads the number that b begins with, up to 15 digits of it: as many can be multiplied by 1024.
func digits(b []byte) (n int64, after []byte) {
	i := 0
	for ; i < len(b) && i < 15 && '0' <= b[i] && b[i] <= '9'; i++ {
		n = 10*n + int64(b[i]-'0')
	}
	return n, b[i:]
}

// protoStream is a body of protobuf as it comes.
type protoStream struct {
	*bufio.Reader
	at   uint64 // bytes taken so far
	long []byte // for what is longer than the reader's buffer
}

// head reads what is before a value: the number of the field, and how long the value is. io.EOF is the end between two fields.
func (s *protoStream) head() (field int, size uint64, err error) {
	before := s.at
	tag, err := binary.ReadUvarint(s)
	if err != nil {
		if s.at > before {
			err = unexpected(err)
		}
		return 0, 0, err
	}
	number, kind := protowire.DecodeTag(tag)
	if number < protowire.MinValidNumber || kind != protowire.BytesType { // an envelope and a list have no others
		return 0, 0, fmt.Errorf("field %d of type %d is not of a list", number, kind)
	}
	size, err = binary.ReadUvarint(s)
	return int(number), size, unexpected(err)
}

// ReadByte implements io.ByteReader.
func (s *protoStream) ReadByte() (byte, error) {
	b, err := s.Reader.ReadByte()
	if err == nil {
		s.at++
	}
	return b, err
}

// take gives the next bytes; they are valid until the next call.
func (s *protoStream) take(size uint64) ([]byte, error) {
	if size > itemLimit {
		return nil, fmt.Errorf("an item of %d bytes is too long", size)
	}
	s.at += size
	n := int(size)
	if n <= wireBuffer {
		value, err := s.Peek(n)
		if err != nil {
			return nil, unexpected(err)
		}
		_, err = s.Discard(n)
		return value, err
	}
	if cap(s.long) < n {
		s.long = make([]byte, n)
	}
	_, err := io.ReadFull(s, s.long[:n])
	return s.long[:n], unexpected(err)
}

// unexpected says of an end that it comes too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// metricsItem is a NodeMetrics, which has a usage, or a PodMetrics, which has containers, as JSON.
type metricsItem struct {
	Metadata struct{ Namespace, Name string }
	Usage    corev1.ResourceList
	// Containers are those of a pod.
	Containers []struct{ Usage corev1.ResourceList }
}

func (i *metricsItem) sum() Use {
	total := useOf(i.Usage)
	for k := range i.Containers {
		total = total.plus(useOf(i.Containers[k].Usage))
	}
	return total
}

func useOf(l corev1.ResourceList) Use {
	return Use{CPU: l.Cpu().MilliValue(), Memory: l.Memory().Value()}
}

func (u Use) plus(v Use) Use { return Use{CPU: u.CPU + v.CPU, Memory: u.Memory + v.Memory} }

// readJSON reads a list and nothing behind it.
func (l metricsList) readJSON(in *json.Decoder, each eachUse) error {
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
				each([]byte(item.Metadata.Namespace), []byte(item.Metadata.Name), item.sum())
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
