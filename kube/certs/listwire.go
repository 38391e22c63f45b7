package certs

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Lists of Secrets, CRDs and the like are read as protobuf, field by field as they come, since of most of them hardly
// anything is wanted: of a Secret its certificates and never its key, of a CRD its bundle and not its schemas. What is not
// wanted is never in one piece in memory; it is wiped from the one buffer that it passes. Other buffers that it passes, of
// HTTP and TLS, are out of our reach.

const (
	// wireMagic begins every protobuf body of Kubernetes (k8s.io/apimachinery/pkg/runtime/serializer/protobuf). An envelope
	// follows, k8s.io/apimachinery/pkg/runtime.Unknown: typeMeta = 1, raw = 2.
	wireMagic  = "k8s\x00"
	wireBuffer = 64 << 10
	// mostText is far beyond any name, label or message that is kept.
	mostText = 64 << 10
)

// wire is a body of protobuf as it comes. Once there is an error nothing more is read.
type wire struct {
	in  *bufio.Reader
	at  int64 // bytes taken so far
	err error
}

func newWire(body io.Reader) *wire { return &wire{in: bufio.NewReaderSize(body, wireBuffer)} }

// object gives the message in the envelope, which must be of that kind.
func (w *wire) object(kind string) *message {
	magic := make([]byte, len(wireMagic))
	w.read(magic)
	if w.err == nil && string(magic) != wireMagic {
		w.fail(errors.New("the answer is not protobuf"))
	}
	envelope := &message{wire: w, at: w.at, end: math.MaxInt64}
	for is := ""; envelope.next(); {
		switch envelope.number {
		case 1: // typeMeta
			for m := envelope.open(); m.next(); {
				if m.number == 2 {
					is = m.text()
				}
			}
		case 2: // raw
			if is != kind {
				w.fail(fmt.Errorf("the answer is of the kind %q, not %s", is, kind))
			}
			return envelope.open()
		}
	}
	return envelope
}

// wipe overwrites what has come and was not looked at.
func (w *wire) wipe() {
	b, _ := w.in.Peek(w.in.Buffered()) // as much as there is
	clear(b)
}

func (w *wire) fail(err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if w.err == nil && err != nil {
		w.err = err
	}
}

// ReadByte implements io.ByteReader.
func (w *wire) ReadByte() (byte, error) {
	b, err := w.in.ReadByte()
	if err == nil {
		w.at++
	}
	return b, err
}

func (w *wire) varint() uint64 {
	if w.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(w)
	w.fail(err)
	return n
}

func (w *wire) read(into []byte) {
	if w.err != nil {
		return
	}
	n, err := io.ReadFull(w.in, into)
	w.at += int64(n)
	w.fail(err)
}

// skip goes on to a place and wipes what it passes.
func (w *wire) skip(to int64) {
	for w.err == nil && w.at < to {
		b, err := w.in.Peek(int(min(to-w.at, int64(max(w.in.Buffered(), 1)))))
		clear(b)
		n, _ := w.in.Discard(len(b)) // they have been peeked at
		w.at += int64(n)
		w.fail(err)
	}
}

// message goes through the fields of one message. A field that is not read is skipped.
type message struct {
	*wire
	at     int64 // where the field ends
	end    int64 // where the message ends
	number int   // of the field
	value  uint64
}

var errWire = errors.New("the answer is damaged")

// The types of fields, by the encoding of protobuf.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// next goes to the next field; false at the end, or if there is an error.
func (m *message) next() bool {
	m.skip(m.at)
	if m.err != nil || m.wire.at >= m.end {
		return false
	}
	tag := m.varint()
	m.number, m.value = int(tag>>3), 0
	size := uint64(0)
	switch tag & 7 {
	case wireVarint:
		m.value = m.varint()
	case wireFixed64:
		size = 8
	case wireBytes:
		size = m.varint()
	case wireFixed32:
		size = 4
	default:
		m.fail(errWire)
	}
	if m.err == nil && (m.wire.at > m.end || size > uint64(m.end-m.wire.at)) {
		m.fail(errWire)
	}
	m.at = m.wire.at + int64(size) //nolint:gosec // no more than m.end
	return m.err == nil
}

// open gives the field as a message of its own, which must be read before the next field.
func (m *message) open() *message { return &message{wire: m.wire, at: m.wire.at, end: m.at} }

// bytes gives the field, no more than the first most bytes of it.
func (m *message) bytes(most int) []byte {
	b := make([]byte, min(m.at-m.wire.at, int64(most)))
	m.read(b)
	return b
}

func (m *message) text() string { return string(m.bytes(mostText)) }

// entry gives the key of an entry of a map, whose value comes next.
func (m *message) entry() (key string, value *message) {
	value = m.open()
	for value.next() {
		switch value.number {
		case 1:
			key = value.text()
		case 2:
			return key, value
		}
	}
	return key, value
}

// time reads a metav1.Time.
func (m *message) time() time.Time {
	for at := m.open(); at.next(); {
		if at.number == 1 {
			return time.Unix(int64(at.value), 0) //nolint:gosec // it was an int64
		}
	}
	return time.Time{}
}

// meta is what is kept of an ObjectMeta.
type meta struct {
	namespace, name, uid string
	created              time.Time
	notes                map[string]string // labels and annotations that were asked for
	owner                string            // the name of the Secret that it is deleted with, "" for none
}

// metadata reads an ObjectMeta: of labels and annotations only those that are asked for, since kubectl keeps copies of whole
// Secrets in annotations.
func (m *message) metadata(notes ...string) meta {
	var out meta
	for f := m.open(); f.next(); {
		switch f.number {
		case 1:
			out.name = f.text()
		case 3:
			out.namespace = f.text()
		case 5:
			out.uid = f.text()
		case 8:
			out.created = f.time()
		case 11, 12: // labels, annotations
			key, value := f.entry()
			for _, n := range notes {
				if n == key {
					out.note(key, value.text())
				}
			}
		case 13: // ownerReferences
			if kind, name := f.ownerReference(); kind == "Secret" {
				out.owner = name
			}
		}
	}
	return out
}

func (m *meta) note(key, value string) {
	if m.notes == nil {
		m.notes = map[string]string{}
	}
	m.notes[key] = value
}

func (m *message) ownerReference() (kind, name string) {
	for f := m.open(); f.next(); {
		switch f.number {
		case 1:
			kind = f.text()
		case 3:
			name = f.text()
		}
	}
	return kind, name
}

// condition is what is kept of a metav1.Condition, or of one of another API with the same names.
type condition struct{ Type, Status, Reason, Message string }

// condition reads one, whose fields reason and message have these numbers.
func (m *message) condition(reason, message int) condition {
	var out condition
	for f := m.open(); f.next(); {
		switch f.number {
		case 1:
			out.Type = f.text()
		case 2:
			out.Status = f.text()
		case reason:
			out.Reason = f.text()
		case message:
			out.Message = f.text()
		}
	}
	return out
}
