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
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// metricsList is one of the two lists of metrics.k8s.io. A list of 150,000 pods is some 50 MB, and several hundred as
// objects of Go, of which some 40 bytes for each pod are wanted: so it is read item by item, as it comes, and of each item only
// the names, the time and the use are looked at.
type metricsList struct {
	resource, kind string
	use            func(r *scrape, field4 []byte) error // takes in one field 4 of the item's protobuf
}

// The lists of k8s.io/metrics/pkg/apis/metrics/v1/generated.proto, and of v1beta1, which is the same.
var (
	nodeMetrics = metricsList{"nodes", "NodeMetricsList", (*scrape).nodeUse}
	podMetrics  = metricsList{"pods", "PodMetricsList", (*scrape).containerUse}
)

// scrape is one item of a list: what was measured of a node, or of a pod and its containers.
type scrape struct {
	namespace, name []byte
	at              int64         // the end of the window, in seconds of Unix time as the API has it; 0 where it does not say
	window          time.Duration // 0 where the API does not say
	used                          // of a node, or the sum of the containers
	parts           []scrapePart  // of a pod: its containers, in the order of the API
}

// scrapePart is one container.
type scrapePart struct {
	name []byte
	used
}

// used is an amount that was used.
type used struct {
	Use
	spare   int64 // by how many nanocores CPU is rounded up, less than nano
	swap    int64 // bytes
	swapped bool  // swap was reported
}

// add adds what another has used. CPU is rounded once: several containers together are as in kubectl top, which adds up quantities.
func (u *used) add(more used) {
	u.Use, u.spare = u.plus(more.Use), u.spare+more.spare
	if u.spare >= nano {
		u.CPU, u.spare = u.CPU-1, u.spare-nano
	}
	u.swap, u.swapped = u.swap+more.swap, u.swapped || more.swapped
}

// eachScrape is given the items of a list, one after the other. They are valid until it returns.
type eachScrape func(*scrape)

const (
	wireBuffer = 64 << 10
	// itemLimit is far beyond any item: whoever claims to send a longer one sends something else.
	itemLimit = 16 << 20
)

// read reads a list, protobuf or JSON, to its end. An error means that nothing of what was taken counts: the list may
// have ended early.
func (l metricsList) read(body io.Reader, all eachScrape) error {
	each := func(r *scrape) {
		if l.believes(r) {
			all(r)
		}
	}
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

// The most that is believed of one node or container: beyond it sums would overflow, and no machine has it.
const (
	mostCPU    = 1 << 40 // millicores
	mostMemory = 1 << 53 // bytes
)

// believes reports whether an item is a measurement: metrics-server gives a pod without containers when it has measured none of them,
// and hands on whatever number a kubelet has made up.
func (l metricsList) believes(r *scrape) bool {
	if l.resource == podMetrics.resource && len(r.parts) == 0 {
		return false
	}
	for i := range r.parts {
		if !r.parts[i].believable() {
			return false
		}
	}
	return r.believable()
}

func (u *used) believable() bool {
	return 0 <= u.CPU && u.CPU < mostCPU && 0 <= u.Memory && u.Memory < mostMemory && 0 <= u.swap && u.swap < mostMemory
}

// check makes sure of the kind; versions differ in their name alone.
func (l metricsList) check(kind string) error {
	if kind != l.kind {
		return fmt.Errorf("the answer is of the kind %q, not %s", kind, l.kind)
	}
	return nil
}

// readProtobuf reads the envelope.
func (l metricsList) readProtobuf(in *protoStream, each eachScrape) error {
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
func (l metricsList) readItems(in *protoStream, end uint64, each eachScrape) error {
	var item scrape
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
			if err := l.readItem(value, &item); err != nil {
				return err
			}
			each(&item)
		}
	}
	if in.at > end {
		return errors.New("an item is longer than the list")
	}
	return nil
}

// readItem reads a NodeMetrics or a PodMetrics: metadata = 1, timestamp = 2, window = 3, and in field 4 usage or containers.
func (l metricsList) readItem(b []byte, into *scrape) error {
	*into = scrape{parts: into.parts[:0]}
	f := fields{rest: b}
	for f.next() {
		var err error
		switch f.number {
		case 1:
			err = into.readMeta(f.value)
		case 2: // a Time: seconds = 1
			into.at, err = firstNumber(f.value)
		case 3: // a Duration: nanoseconds = 1
			var n int64
			n, err = firstNumber(f.value)
			into.window = time.Duration(n)
		case 4:
			err = l.use(into, f.value)
		}
		if err != nil {
			return err
		}
	}
	return f.err
}

// readMeta reads an ObjectMeta: name = 1, namespace = 3.
func (r *scrape) readMeta(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		switch f.number {
		case 1:
			r.name = f.value
		case 3:
			r.namespace = f.value
		}
	}
	return f.err
}

// firstNumber is field 1 of a message, 0 if it is not there.
func firstNumber(b []byte) (n int64, err error) {
	f := fields{rest: b}
	for f.next() {
		if f.number == 1 {
			n = int64(f.varint)
		}
	}
	return n, f.err
}

// nodeUse takes in one entry of a node's usage.
func (r *scrape) nodeUse(b []byte) error {
	more, err := usageEntry(b)
	r.add(more)
	return err
}

// containerUse takes in a ContainerMetrics: name = 1, usage = 2.
func (r *scrape) containerUse(b []byte) error {
	var c scrapePart
	f := fields{rest: b}
	for f.next() {
		switch f.number {
		case 1:
			c.name = f.value
		case 2:
			more, err := usageEntry(f.value)
			if err != nil {
				return err
			}
			c.add(more)
		}
	}
	r.add(c.used)
	r.parts = append(r.parts, c)
	return f.err
}

// usageEntry reads one entry of a map of quantities: key = 1, value = 2. Nothing but CPU, memory and swap counts.
func usageEntry(b []byte) (used, error) {
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
		return used{}, f.err
	}
	switch string(key) {
	case string(corev1.ResourceCPU):
		return cpuQuantity(value)
	case string(corev1.ResourceMemory):
		n, err := byteQuantity(value)
		return used{Use: Use{Memory: n}}, err
	case resourceSwap:
		n, err := byteQuantity(value)
		return used{swap: n, swapped: true}, err
	}
	return used{}, nil
}

// resourceSwap is the key of swap in a sample, where it is reported (pkg/cmd/top/top_node.go of kubectl).
const resourceSwap = "swap"

// cpuQuantity reads a Quantity of CPU. Of nanocores, as metrics-server has them, it is read at once; everything else is the
// library's business.
func cpuQuantity(b []byte) (used, error) {
	text, err := rawQuantity(b)
	if err != nil || len(text) == 0 {
		return used{}, err
	}
	if n, after := digits(text); string(after) == "n" && len(after) < len(text) {
		return nanocores(n), nil
	}
	q, err := parsed(text)
	return usedCPU(&q), err
}

// byteQuantity reads a Quantity of bytes, in the same way of KiB.
func byteQuantity(b []byte) (int64, error) {
	text, err := rawQuantity(b)
	if err != nil || len(text) == 0 {
		return 0, err
	}
	if n, after := digits(text); string(after) == "Ki" && len(after) < len(text) {
		return n << 10, nil
	}
	q, err := parsed(text)
	return q.Value(), err
}

// rawQuantity is what is in a Quantity: its text = 1, no text for zero.
func rawQuantity(b []byte) (text []byte, err error) {
	f := fields{rest: b}
	for f.next() {
		if f.number == 1 {
			text = f.value
		}
	}
	return text, f.err
}

func parsed(text []byte) (resource.Quantity, error) {
	q, err := resource.ParseQuantity(string(text))
	if err != nil {
		return resource.Quantity{}, fmt.Errorf("read the quantity %q: %w", text, err)
	}
	return q, nil
}

// nano is how many nanocores make a millicore.
const nano = 1_000_000

// nanocores rounds up, as MilliValue does.
func nanocores(n int64) used {
	milli := (n + nano - 1) / nano
	return used{Use: Use{CPU: milli}, spare: milli*nano - n}
}

// usedCPU is a quantity of CPU; of what no machine has, parts of a millicore do not count.
func usedCPU(q *resource.Quantity) used {
	const most = 1 << 40
	if milli := q.MilliValue(); milli <= 0 || milli > most {
		return used{Use: Use{CPU: milli}}
	}
	return nanocores(q.ScaledValue(resource.Nano))
}

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
