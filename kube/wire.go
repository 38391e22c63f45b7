package kube

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// magic begins every protobuf body of Kubernetes (k8s.io/apimachinery/pkg/runtime/serializer/protobuf). An envelope follows,
// k8s.io/apimachinery/pkg/runtime.Unknown: typeMeta = 1, raw = 2.
const magic = "k8s\x00"

var errNotProtobuf = errors.New("this is not protobuf")

// field is where the parts of an encoded field end.
type field struct {
	number          int
	wire            protowire.Type
	tag, head, size int // the tag; that and the length of what has one; all of it
}

// firstField reads the field that b begins with.
func firstField(b []byte) (f field, ok bool) {
	if len(b) > 1 && b[0]|b[1] < 0x80 && b[0] > 7 && protowire.Type(b[0]&7) == protowire.BytesType { // as most are
		f = field{int(b[0] >> 3), protowire.BytesType, 1, 2, 2 + int(b[1])}
		return f, f.size <= len(b)
	}
	number, wire, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return f, false
	}
	value := protowire.ConsumeFieldValue(number, wire, b[tag:])
	if value < 0 {
		return f, false
	}
	f = field{int(number), wire, tag, tag, tag + value}
	if wire == protowire.BytesType {
		_, n := protowire.ConsumeVarint(b[tag:])
		f.head += n
	}
	return f, true
}

// fields goes through a message that is complete in memory.
type fields struct {
	rest   []byte
	number int
	value  []byte // nil for a field that has no length
	varint uint64 // 0 for a field that is none
	err    error
}

// next goes to the next field; false at the end, or if there is an error.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	first, ok := firstField(f.rest)
	if !ok {
		f.err = errNotProtobuf
		return false
	}
	f.number, f.value, f.varint = first.number, nil, 0
	switch first.wire {
	case protowire.BytesType:
		f.value = f.rest[first.head:first.size]
	case protowire.VarintType:
		f.varint, _ = protowire.ConsumeVarint(f.rest[first.tag:first.size])
	default:
	}
	f.rest = f.rest[first.size:]
	return true
}

// typeMeta reads a runtime.TypeMeta.
func typeMeta(b []byte) (apiVersion, kind []byte, err error) {
	f := fields{rest: b}
	for f.next() {
		switch f.number {
		case 1:
			apiVersion = f.value
		case 2:
			kind = f.value
		}
	}
	return apiVersion, kind, f.err
}
