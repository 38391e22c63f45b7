package kube

import (
	"cmp"
	"hash/maphash"
	"iter"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"
)

// PodUses are the samples of pods, 64 bytes each with its past, and 16 more for each container of a pod that has several: of a pod's
// name only a fingerprint of 128 bits is kept, under a salt that nobody outside knows, so that none of 150,000 pods is taken for
// another within the age of the universe. The zero value has no samples. What it has never changes.
type PodUses struct {
	salt   salt
	all    []podUse         // in the order of their fingerprints
	index  []uint32         // where in all the fingerprints begin of each value of their first bits
	parts  []partUse        // the containers of pods that have several
	names  []string         // of containers
	swaps  map[swapOf]int64 // bytes, where swap is used
	gone   []goneUse        // in the order of their fingerprints: pods without a sample that had one
	clock  pastClock
	newest uint32 // the time of the newest sample
}

// podUse is the sample of a pod.
type podUse struct {
	of     fingerprint
	memory int64
	cpu    uint32
	at     uint32 // seconds of Unix time; 0 where the source does not say
	window uint32 // milliseconds
	// parts is the place of the first of several containers, with partsMany, or what partUse.name is of the only one; noParts if
	// nothing is known of containers.
	parts uint32
	past  past
}

// partUse is the sample of a container.
type partUse struct {
	memory int64
	cpu    uint32
	name   uint32 // its place in names, with partSwap and partLast
}

const (
	partsMany = 1 << 31 // there are several containers
	partLast  = 1 << 31 // no more containers of this pod
	partSwap  = 1 << 30 // swap was reported
	partName  = partSwap - 1
	noParts   = partName
)

// swapOf is a container, by its place among those of its pod.
type swapOf struct {
	pod fingerprint
	n   int
}

// goneUse is what is left of a pod that had a sample.
type goneUse struct {
	of   fingerprint
	past past
}

// mostGone bounds how many pods without a sample keep their past: a thousand, and half as many as have one. On nodes that are not
// measured for a while there are fewer; where pods come and go faster, the pasts of some are lost. If there are no samples at
// all, none is.
func (u *PodUses) mostGone(was *PodUses) int {
	if len(u.all) == 0 {
		return len(was.all) + len(was.gone)
	}
	return 1000 + len(u.all)/2
}

// NewPodUses makes samples of a map, of which neither times nor containers are known.
func NewPodUses(samples map[PodKey]Use) PodUses {
	b := PodUses{salt: newSalt()}.after()
	for k, use := range samples {
		b.add(&scrape{namespace: []byte(k.Namespace), name: []byte(k.Name), used: used{Use: use}})
	}
	return b.done()
}

// podList collects samples.
type podList struct {
	PodUses
	places map[string]uint32 // of names
}

// after makes room for about as many samples as there are in u.
func (u PodUses) after() *podList {
	return &podList{
		PodUses: PodUses{
			salt: u.salt, all: make([]podUse, 0, len(u.all)+len(u.all)/64), parts: make([]partUse, 0, len(u.parts)+len(u.parts)/64),
		},
		places: map[string]uint32{},
	}
}

// add takes in a sample.
func (l *podList) add(r *scrape) {
	p := podUse{
		of: fingerprintOf(l.salt, r.namespace, r.name), memory: r.Memory, cpu: number32(r.CPU), at: number32(r.at),
		window: number32(r.window.Milliseconds()), parts: noParts,
	}
	switch len(r.parts) {
	case 0:
	case 1:
		p.parts = l.name(r.parts[0])
	default:
		p.parts = partsMany | uint32(len(l.parts))
		for _, c := range r.parts {
			l.parts = append(l.parts, partUse{c.Memory, number32(c.CPU), l.name(c)})
		}
		l.parts[len(l.parts)-1].name |= partLast
	}
	for i, c := range r.parts {
		if c.swap != 0 {
			if l.swaps == nil {
				l.swaps = map[swapOf]int64{}
			}
			l.swaps[swapOf{p.of, i}] = c.swap
		}
	}
	l.newest = max(l.newest, p.at)
	l.all = append(l.all, p)
}

// name gives the place of a container's name, with what is to be noted there.
func (l *podList) name(c scrapePart) uint32 {
	place, ok := l.places[string(c.name)]
	if !ok {
		place = uint32(len(l.names))
		name := shared(string(c.name))
		l.places[string(c.name)], l.names = place, append(l.names, name)
	}
	if c.swapped {
		place |= partSwap
	}
	return place
}

// number32 is for what is never negative, nor more than four thousand million.
func number32(n int64) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }

// done gives the samples. Of two of one pod, either may stay.
func (l *podList) done() PodUses {
	u := l.PodUses
	slices.SortFunc(u.all, func(a, b podUse) int { return a.of.compare(b.of) })
	u.all = slices.CompactFunc(u.all, func(a, b podUse) bool { return a.of == b.of })
	u.index = make([]uint32, 1<<bits.Len(uint(len(u.all))/perBucket)+1)
	for i := range u.all {
		u.index[u.all[i].of.bucket(len(u.index)-1)+1] = uint32(i + 1)
	}
	for i := range u.index[1:] {
		u.index[i+1] = max(u.index[i], u.index[i+1])
	}
	return u
}

// perBucket is how many samples at least share a place in the index, on average: to halve all samples costs a cache miss each time, to
// look for one in a bucket costs two in all.
const perBucket = 4

// bucket gives the first bits of a fingerprint: buckets is a power of two.
func (f fingerprint) bucket(buckets int) int {
	hi, _ := bits.Mul64(f[0], uint64(buckets))
	return int(hi)
}

// Len is how many pods have a sample.
func (u PodUses) Len() int { return len(u.all) }

// Of gives the use of a pod; false if there is no sample.
func (u PodUses) Of(namespace, name string) (Use, bool) {
	p, ok := u.find(namespace, name)
	if !ok {
		return Use{}, false
	}
	return p.use(), true
}

func (p *podUse) use() Use { return Use{int64(p.cpu), p.memory} }

func (u *PodUses) find(namespace, name string) (*podUse, bool) {
	if len(u.all) == 0 {
		return nil, false
	}
	of := fingerprintOf(u.salt, namespace, name)
	bucket := of.bucket(len(u.index) - 1)
	for i := u.index[bucket]; i < u.index[bucket+1]; i++ {
		if u.all[i].of == of {
			return &u.all[i], true
		}
	}
	return nil, false
}

// sample gives all that is known of a pod; read is when it was read.
func (u *PodUses) sample(p *podUse, read time.Time) Sample {
	s := Sample{Use: p.use(), At: sampleTime(p.at, read), Window: time.Duration(p.window) * time.Millisecond, Swap: -1}
	for c := range u.containers(p) {
		if c.Swap >= 0 {
			s.Swap = max(s.Swap, 0) + c.Swap
		}
	}
	return s
}

// containers gives the uses of a pod's containers, without the time, which they share.
func (u *PodUses) containers(p *podUse) iter.Seq[ContainerSample] {
	return func(yield func(ContainerSample) bool) {
		switch {
		case p.parts == noParts:
		case p.parts&partsMany == 0:
			yield(u.container(p, 0, partUse{p.memory, p.cpu, p.parts | partLast}))
		default:
			for i, first := 0, int(p.parts&^partsMany); ; i++ {
				if c := u.parts[first+i]; !yield(u.container(p, i, c)) || c.name&partLast != 0 {
					return
				}
			}
		}
	}
}

func (u *PodUses) container(p *podUse, n int, c partUse) ContainerSample {
	s := ContainerSample{Name: u.names[c.name&partName], Sample: Sample{Use: Use{int64(c.cpu), c.memory}, Swap: -1}}
	if c.name&partSwap != 0 {
		s.Swap = u.swaps[swapOf{p.of, n}]
	}
	return s
}

// sampleTime is the time of a sample: that of its reading where the source does not say.
func sampleTime(at uint32, read time.Time) time.Time {
	if at == 0 {
		return read
	}
	return time.Unix(int64(at), 0)
}

// past gives the past of a pod, as it is at the time of the clock.
func (u *PodUses) past(namespace, name string) past {
	if p, ok := u.find(namespace, name); ok {
		return p.past
	}
	if len(u.gone) == 0 {
		return past{}
	}
	of := fingerprintOf(u.salt, namespace, name)
	i, found := slices.BinarySearchFunc(u.gone, of, func(g goneUse, of fingerprint) int { return g.of.compare(of) })
	if !found {
		return past{}
	}
	return u.gone[i].past
}

// equal reports whether the samples are the same, whatever was before them; those of another salt are others.
func (u PodUses) equal(v PodUses) bool {
	same := func(a, b podUse) bool {
		if a.of != b.of || a.use() != b.use() || a.at != b.at || a.window != b.window {
			return false
		}
		return u.sameParts(&a, &v, &b)
	}
	return len(u.parts) == len(v.parts) && maps.Equal(u.swaps, v.swaps) && slices.EqualFunc(u.all, v.all, same)
}

// sameParts reports whether two samples of a pod say the same of its containers; their places depend on the order of the list.
func (u *PodUses) sameParts(a *podUse, v *PodUses, b *podUse) bool {
	switch {
	case a.parts == noParts || b.parts == noParts:
		return a.parts == b.parts
	case (a.parts^b.parts)&partsMany != 0:
		return false
	case a.parts&partsMany == 0:
		return u.sameName(a.parts, v, b.parts)
	}
	for i, j := a.parts&^partsMany, b.parts&^partsMany; ; i, j = i+1, j+1 {
		c, d := u.parts[i], v.parts[j]
		if c.cpu != d.cpu || c.memory != d.memory || !u.sameName(c.name, v, d.name) {
			return false
		}
		if c.name&partLast != 0 {
			return true
		}
	}
}

func (u *PodUses) sameName(c uint32, v *PodUses, d uint32) bool {
	return (c^d)&^uint32(partName) == 0 && u.names[c&partName] == v.names[d&partName]
}

// follow goes on with the pasts of the samples before these, at the time of their reading.
func (u *PodUses) follow(was PodUses, now time.Time, step time.Duration) {
	clock, steps := was.clock.tick(now, step)
	u.clock = clock
	old := oldPasts{PodUses: was, steps: steps, most: u.mostGone(&was)}
	for i := range u.all {
		p := &u.all[i]
		before, had := old.of(p.of)
		if had {
			p.past = before.past.shifted(steps)
		}
		if !had || p.at == 0 || p.at != before.at { // the same sample again says nothing of a later step
			p.past.put(p.use())
		}
	}
	old.skip(fingerprint{math.MaxUint64, math.MaxUint64})
	u.gone = old.left
}

// oldPasts goes through samples and what is left of others in the order of fingerprints, and gathers what nobody has asked for.
type oldPasts struct {
	PodUses
	steps int // how much later it is
	most  int // how many are left at most
	left  []goneUse
}

// of gives what was known of a pod; fingerprints must come in order.
func (o *oldPasts) of(f fingerprint) (podUse, bool) {
	o.skip(f)
	if len(o.all) > 0 && o.all[0].of == f {
		p := o.all[0]
		o.all = o.all[1:]
		return p, true
	}
	if len(o.gone) > 0 && o.gone[0].of == f {
		g := o.gone[0]
		o.gone = o.gone[1:]
		return podUse{of: f, past: g.past}, true
	}
	return podUse{}, false
}

// skip leaves all pods before one behind.
func (o *oldPasts) skip(before fingerprint) {
	for {
		var g goneUse
		switch {
		case len(o.all) > 0 && o.all[0].of.compare(before) < 0 && (len(o.gone) == 0 || o.all[0].of.compare(o.gone[0].of) < 0):
			g = goneUse{o.all[0].of, o.all[0].past}
			o.all = o.all[1:]
		case len(o.gone) > 0 && o.gone[0].of.compare(before) < 0:
			g = o.gone[0]
			o.gone = o.gone[1:]
		default:
			return
		}
		if g.past = g.past.shifted(o.steps); !g.past.empty() && len(o.left) < o.most {
			o.left = append(o.left, g)
		}
	}
}

// fingerprint stands for the name of a pod.
type fingerprint [2]uint64

// salt makes fingerprints.
type salt [2]maphash.Seed

func newSalt() salt { return salt{maphash.MakeSeed(), maphash.MakeSeed()} }

// fingerprintOf gives the fingerprint of a pod. The parts are kept apart by a byte that cannot be in a name.
func fingerprintOf[T string | []byte](s salt, namespace, name T) fingerprint {
	var room [128]byte // what is longer costs an allocation
	text := append(append(append(room[:0], namespace...), 0), name...)
	return fingerprint{maphash.Bytes(s[0], text), maphash.Bytes(s[1], text)}
}

func (f fingerprint) compare(g fingerprint) int {
	if f[0] != g[0] {
		return cmp.Compare(f[0], g[0])
	}
	return cmp.Compare(f[1], g[1])
}
