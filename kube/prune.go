package kube

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A row needs a small part of its object; most of the rest is managedFields, environment, probes and volumes. To
// decode those and to collect them as garbage would be most of what it costs to load 150,000 pods. So what no row needs is
// cut out of the protobuf bytes before the typed decoder sees them; NewPod and NewNode are none the wiser.
//
// What stays is declared here, in workloadprune.go and in eventprune.go, by the field numbers of
// k8s.io/api/core/v1/generated.proto and k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto. A row that reads another field needs it here too:
// TestRowsOfPrunedObjectsAreThoseOfFullOnes fails until it has it.

// keep says what stays of a message: of the fields that it lists, what they say; nothing of the others.
type keep struct {
	fields []*keep  // by field number; nil for what goes
	keys   []string // of an entry of a map: the keys whose entries stay; nil for all
	// kinds are, of the envelope of an object, what stays of it, by apiVersion and kind; the others stay as they are.
	kinds map[string]map[string]*keep
}

type byNumber []*keep

func message(f byNumber) *keep     { return &keep{fields: f} }
func entries(keys ...string) *keep { return &keep{fields: byNumber{1: whole, 2: whole}, keys: keys} }

// objects are envelopes of the kinds that rows are made of, around lists of them or around single ones.
func objects(lists bool) *keep {
	kinds := map[string]map[string]*keep{}
	for version, byKind := range keptObjects() {
		kinds[version] = map[string]*keep{}
		for kind, object := range byKind {
			if lists {
				kinds[version][kind+"List"] = envelope(listOf(object))
			} else {
				kinds[version][kind] = envelope(object)
			}
		}
	}
	return &keep{kinds: kinds}
}

// keptObjects are what stays of each kind, by apiVersion and kind.
func keptObjects() map[string]map[string]*keep {
	all := maps.Clone(keptWorkloads)
	all["v1"] = map[string]*keep{"Pod": keptPod, "Node": keptNode, "Event": keptEvent}
	return all
}

// envelope is k8s.io/apimachinery/pkg/runtime.Unknown, in which an object travels, around what stays of the object.
func envelope(object *keep) *keep {
	return message(byNumber{1: whole /* typeMeta */, 2: object /* raw */, 3: whole /* contentEncoding */, 4: whole /* contentType */})
}

// listOf is a PodList, NodeList, or list of workloads.
func listOf(item *keep) *keep {
	return message(byNumber{
		1: message(byNumber{ // metadata
			2: whole, // resourceVersion
			3: whole, // continue
		}),
		2: item, // items
	})
}

var (
	whole = &keep{}                // the field stays as it is
	there = message(byNumber{nil}) // that the message is there is all that counts

	keptPages = objects(true)
	// keptEvents is metav1.WatchEvent.
	keptEvents = message(byNumber{
		1: whole, // type
		2: message(byNumber{ // object
			1: objects(false), // raw
		}),
	})

	keptPod = message(byNumber{
		1: message(byNumber{ // metadata
			1:  whole,           // name
			3:  whole,           // namespace
			5:  whole,           // uid
			6:  whole,           // resourceVersion
			8:  whole,           // creationTimestamp
			9:  whole,           // deletionTimestamp
			10: whole,           // deletionGracePeriodSeconds
			11: whole,           // labels
			12: keptAnnotations, // annotations
			13: message(byNumber{ // ownerReferences
				1: whole, // kind
				3: whole, // name
				6: whole, // controller
			}),
			14: whole, // finalizers
		}),
		2: message(byNumber{ // spec
			2:  keptContainer,     // containers
			10: whole,             // nodeName
			19: whole,             // schedulerName
			20: keptInitContainer, // initContainers
			28: whole,             // readinessGates
			32: whole,             // overhead
			38: whole,             // schedulingGates
			40: keptResources,     // resources
		}),
		3: message(byNumber{ // status
			1:  whole,               // phase
			2:  keptPodCondition,    // conditions
			3:  whole,               // message
			4:  whole,               // reason
			7:  whole,               // startTime
			8:  keptContainerStatus, // containerStatuses
			9:  whole,               // qosClass
			10: keptContainerStatus, // initContainerStatuses
			11: whole,               // nominatedNodeName
			12: whole,               // podIPs
		}),
	})

	// keptAnnotations are the one that marks a static pod and the one that ends a streamed list (KEP-3157).
	keptAnnotations = entries(corev1.MirrorPodAnnotationKey, metav1.InitialEventsAnnotationKey)

	keptContainer = message(byNumber{
		1: whole,         // name
		2: whole,         // image
		8: keptResources, // resources
	})
	keptInitContainer = message(byNumber{
		1:  whole,         // name
		2:  whole,         // image
		8:  keptResources, // resources
		24: whole,         // restartPolicy, which makes it a sidecar
	})
	keptResources = message(byNumber{
		1: whole, // limits
		2: whole, // requests
	})
	keptPodCondition = message(byNumber{
		1: whole, // type
		2: whole, // status
		4: whole, // lastTransitionTime
		5: whole, // reason
		6: whole, // message
	})
	keptContainerStatus = message(byNumber{
		1: whole, // name
		2: message(byNumber{ // state
			1: whole,          // waiting
			2: there,          // running
			3: keptTerminated, // terminated
		}),
		3: message(byNumber{ // lastState
			3: keptTerminated, // terminated
		}),
		4:  whole,         // ready
		5:  whole,         // restartCount
		6:  whole,         // image
		9:  whole,         // started
		10: whole,         // allocatedResources
		11: keptResources, // resources
	})
	keptTerminated = message(byNumber{
		1: whole, // exitCode
		2: whole, // signal
		3: whole, // reason
		4: whole, // message
		5: whole, // startedAt
		6: whole, // finishedAt
	})

	keptNode = message(byNumber{
		1: message(byNumber{ // metadata
			1:  whole,           // name
			5:  whole,           // uid
			6:  whole,           // resourceVersion
			8:  whole,           // creationTimestamp
			11: whole,           // labels: the zone, and roles, which any key may name
			12: keptAnnotations, // annotations
		}),
		2: message(byNumber{ // spec
			4: whole, // unschedulable
			5: whole, // taints
		}),
		3: message(byNumber{ // status
			1: whole, // capacity
			2: whole, // allocatable
			4: whole, // conditions
			5: whole, // addresses
			7: message(byNumber{ // nodeInfo
				4:  whole, // kernelVersion
				5:  whole, // osImage
				6:  whole, // containerRuntimeVersion
				7:  whole, // kubeletVersion
				10: whole, // architecture
				11: whole, // swap
			}),
		}),
	})
)

// prune appends to dst what stays of src. It appends no more than src is long. It is false if src, as far as it was looked
// at, is not protobuf: what goes is not looked at.
func (k *keep) prune(dst, src []byte) (out []byte, ok bool) {
	if k.kinds != nil {
		return k.pruneObject(dst, src)
	}
	begin, at := 0, 0 // what stays as it is, and has not been copied yet
	for at < len(src) {
		f, ok := firstField(src[at:])
		if !ok {
			return dst, false
		}
		part := src[at : at+f.size]
		stays := k.of(f, part)
		if stays != whole {
			dst = append(dst, src[begin:at]...)
			begin = at + f.size
			if stays != nil {
				if dst, ok = stays.nest(dst, part, f); !ok {
					return dst, false
				}
			}
		}
		at += f.size
	}
	return append(dst, src[begin:]...), true
}

// of says what stays of a field: nil for nothing. One of another type than declared stays whole: the decoder says so.
func (k *keep) of(f field, part []byte) *keep {
	if f.number >= len(k.fields) {
		return nil
	}
	stays := k.fields[f.number]
	switch {
	case stays == nil || stays.keys != nil && !stays.names(part[f.head:]):
		return nil
	case f.wire != protowire.BytesType:
		return whole
	}
	return stays
}

// nest prunes a field that is a message. The length before it takes as many bytes as it did: protobuf allows to write a
// number longer than need be, and so nothing has to be moved once the new length is known.
func (k *keep) nest(dst, part []byte, f field) (out []byte, ok bool) {
	dst = append(dst, part[:f.head]...)
	begin := len(dst)
	dst, ok = k.prune(dst, part[f.head:])
	length, n := dst[begin-(f.head-f.tag):begin], len(dst)-begin
	for i := range length {
		length[i] = byte(n)&0x7f | 0x80
		n >>= 7
	}
	length[len(length)-1] &= 0x7f
	return dst, ok
}

// names reports whether the entry of a map has one of the keys. The key comes first, as every encoder has it; an entry of
// another order stays.
func (k *keep) names(entry []byte) bool {
	key, ok := firstField(entry)
	if !ok || key.number != 1 {
		return true
	}
	name := entry[key.head:key.size]
	return slices.ContainsFunc(k.keys, func(s string) bool { return string(name) == s })
}

// pruneObject prunes an object of a kind that is known, with its prefix and envelope.
func (k *keep) pruneObject(dst, src []byte) (out []byte, ok bool) {
	unknown, ok := bytes.CutPrefix(src, []byte(magic))
	apiVersion, name := kindOf(unknown)
	kind := k.kinds[string(apiVersion)][string(name)]
	if !ok || kind == nil {
		return append(dst, src...), true
	}
	return kind.prune(append(dst, magic...), unknown)
}

// kindOf reads what an object is from the beginning of its envelope; nil for what cannot be read.
func kindOf(unknown []byte) (apiVersion, kind []byte) {
	f, ok := firstField(unknown)
	if !ok || f.number != 1 || f.wire != protowire.BytesType {
		return nil, nil
	}
	apiVersion, kind, err := typeMeta(unknown[f.head:f.size])
	if err != nil {
		return nil, nil
	}
	return apiVersion, kind
}

// usualSize is more than what stays of most pods, in bytes.
const usualSize = 1 << 10

// pruning is a serializer for what rows are made of: it decodes pages and watch events of nodes, pods and workloads without
// what no row needs, and everything else as the serializer that it is made of.
type pruning struct {
	runtime.NegotiatedSerializer
	spare *sync.Pool // of *[]byte
}

func newPruning(s runtime.NegotiatedSerializer) pruning {
	return pruning{s, &sync.Pool{New: func() any {
		b := make([]byte, 0, usualSize)
		return &b
	}}}
}

// SupportedMediaTypes implements runtime.NegotiatedSerializer: rest.Request takes its decoders from here.
func (p pruning) SupportedMediaTypes() []runtime.SerializerInfo {
	types := slices.Clone(p.NegotiatedSerializer.SupportedMediaTypes())
	for i := range types {
		t := &types[i]
		if t.MediaType != runtime.ContentTypeProtobuf || t.StreamSerializer == nil {
			continue
		}
		t.Serializer = pruner{t.Serializer, keptPages, p.spare}
		stream := *t.StreamSerializer
		stream.Serializer, stream.Framer = pruner{stream.Serializer, keptEvents, p.spare}, buffered{stream.Framer}
		t.StreamSerializer = &stream
	}
	return types
}

// pruner prunes what it decodes.
type pruner struct {
	runtime.Serializer
	keep  *keep
	spare *sync.Pool
}

// Decode implements runtime.Decoder. What is not protobuf goes to the decoder as it came: it says what is wrong. Objects
// keep nothing of the bytes that they are decoded from.
func (p pruner) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (
	runtime.Object, *schema.GroupVersionKind, error,
) {
	spare := p.spare.Get().(*[]byte)
	defer p.spare.Put(spare)
	pruned, ok := p.keep.prune((*spare)[:0], data)
	*spare = pruned
	if ok {
		data = pruned
	}
	return p.Serializer.Decode(data, defaults, into)
}

// watchBuffer is how many bytes of a watch are read at once if there are as many.
const watchBuffer = 64 << 10

// buffered reads the frames of a watch through a buffer. Without it each event is two reads of the connection, and each read
// of as much as a pod makes HTTP/2 send a WINDOW_UPDATE of its own.
type buffered struct{ runtime.Framer }

// NewFrameReader implements runtime.Framer.
func (b buffered) NewFrameReader(r io.ReadCloser) io.ReadCloser {
	return b.Framer.NewFrameReader(struct {
		io.Reader
		io.Closer
	}{bufio.NewReaderSize(r, watchBuffer), r})
}
