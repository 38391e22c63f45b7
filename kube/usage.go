package kube

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// PodUses are the samples of pods, 32 bytes each: of a pod's name only a fingerprint of 128 bits is kept, under a salt
// that nobody outside knows, so that none of 150,000 pods is taken for another within the age of the universe. The zero
// value has no samples. What it has never changes.
type PodUses struct {
	salt salt
	all  []podUse // in the order of their fingerprints
}

type podUse struct {
	of fingerprint
	Use
}

// NewPodUses makes samples of a map.
func NewPodUses(samples map[PodKey]Use) PodUses {
	u := PodUses{salt: newSalt()}
	for k, use := range samples {
		u.add([]byte(k.Namespace), []byte(k.Name), use)
	}
	u.sort()
	return u
}

// after makes room for about as many samples as there are in u.
func (u PodUses) after() PodUses {
	return PodUses{u.salt, make([]podUse, 0, len(u.all)+len(u.all)/64)}
}

// add is for samples that nobody reads yet; sort has to follow.
func (u *PodUses) add(namespace, name []byte, use Use) {
	u.all = append(u.all, podUse{fingerprintOf(u.salt, namespace, name), use})
}

// sort makes samples that have been added readable. Of two samples of one pod, either may stay.
func (u *PodUses) sort() {
	slices.SortFunc(u.all, func(a, b podUse) int { return a.of.compare(b.of) })
	u.all = slices.CompactFunc(u.all, func(a, b podUse) bool { return a.of == b.of })
}

// Len is how many pods have a sample.
func (u PodUses) Len() int { return len(u.all) }

// Of gives the sample of a pod; false if there is none.
func (u PodUses) Of(namespace, name string) (Use, bool) {
	if len(u.all) == 0 {
		return Use{}, false
	}
	of := fingerprintOf(u.salt, namespace, name)
	i, found := slices.BinarySearchFunc(u.all, of, func(p podUse, of fingerprint) int { return p.of.compare(of) })
	if !found {
		return Use{}, false
	}
	return u.all[i].Use, true
}

// equal reports whether the samples are the same; those of another salt are others.
func (u PodUses) equal(v PodUses) bool { return slices.Equal(u.all, v.all) }

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
