package kube

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

func TestPointsOfThePastAreWithinFivePercent(t *testing.T) {
	check := func(n, unit int64) {
		got := levelValue(levelOf(n, unit), unit)
		if off := math.Abs(float64(got-n)) / float64(n); off > 0.05 {
			t.Fatalf("%d is kept as %d", n, got)
		}
	}
	for n := int64(1); n < 100_000; n++ {
		check(n, 1)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(1+random.Int64N(9_000_000_000), 1)
		check(pageSize+random.Int64N(36_000_000_000_000), pageSize)
	}
	for _, unit := range []int64{1, pageSize} {
		if got := levelValue(levelOf(0, unit), unit); got != 0 || levelOf(0, unit) == 0 {
			t.Errorf("nothing is kept as %d, level %d", got, levelOf(0, unit))
		}
		if got := levelOf(math.MaxInt64, unit); got != math.MaxUint8 {
			t.Errorf("the most there is has level %d", got)
		}
	}
}

func TestASampleTakes64Bytes(t *testing.T) {
	for what, c := range map[string]struct{ is, want uintptr }{
		"sample of a pod": {unsafe.Sizeof(podUse{}), 64}, "container of several": {unsafe.Sizeof(partUse{}), 16},
		"pod without a sample": {unsafe.Sizeof(goneUse{}), 40},
	} {
		if c.is != c.want {
			t.Errorf("a %s takes %d bytes, want %d", what, c.is, c.want)
		}
	}
}

// at makes a sample of a time.
func sampleAt(at time.Time, cpu int64) Sample {
	return Sample{Use: Use{CPU: cpu, Memory: cpu << 20}, At: at, Window: 15 * time.Second, Swap: -1}
}

// drawn draws what is known of a past, with CPU in tens.
func drawn(p Past) string {
	out := ""
	for _, u := range p {
		if !u.Known {
			out += "."
			continue
		}
		out += fmt.Sprint(math.Round(float64(u.CPU) / 100))
	}
	return out
}

func TestThePastHasAPointForEachStep(t *testing.T) {
	pod := PodKey{"shop", "web"}
	usage := NewUsage(someDay, nil, nil)
	now := someDay
	poll := func(seconds int, cpu int64) {
		now = now.Add(time.Duration(seconds) * time.Second)
		if cpu == 0 {
			usage = usage.Then(now, nil, map[PodKey][]ContainerSample{{"shop", "other"}: {{"app", sampleAt(now, 1)}}})
			return
		}
		s := sampleAt(now.Add(-5*time.Second), cpu)
		usage = usage.Then(now, map[string]Sample{"worker-1": s}, map[PodKey][]ContainerSample{pod: {{"app", s}}})
	}
	want := func(past string) {
		t.Helper()
		m := Moment{Now: now, Usage: usage}
		if got := drawn(m.PodPast("shop", "web")); got != past {
			t.Errorf("%v: the pod's past is %q, want %q", now.Sub(someDay), got, past)
		}
		if got := drawn(m.NodePast("worker-1")); got != past {
			t.Errorf("%v: the node's past is %q, want %q", now.Sub(someDay), got, past)
		}
	}
	want("............")
	poll(1, 100)
	want("...........1")
	poll(15, 200)
	want("...........2") // the last of the step counts
	poll(75, 300)
	want("..........23")
	poll(75, 0)
	want(".........23.") // no sample, and the past is still there
	poll(75, 500)
	want("........23.5")
	poll(75*3, 600)
	want(".....23.5..6") // three steps later
	usage = usage.Then(now.Add(10*time.Second), map[string]Sample{"worker-1": sampleAt(now.Add(-5*time.Second), 600)}, nil)
	now = now.Add(2 * 75 * time.Second)
	if got := drawn((Moment{Now: now, Usage: usage}).NodePast("worker-1")); got != "....23.5..6." {
		t.Errorf("two steps without news: %q", got)
	}
	poll(75*12, 700)
	want("...........7")
}

func TestASampleThatStaysTheSameIsNoNewPoint(t *testing.T) {
	s := sampleAt(someDay, 100)
	pods := map[PodKey][]ContainerSample{{"shop", "web"}: {{"app", s}}}
	usage := NewUsage(someDay, nil, pods)
	other := map[PodKey][]ContainerSample{{"shop", "web"}: {{"app", s}}, {"shop", "new"}: {{"app", s}}}
	usage = usage.Then(someDay.Add(80*time.Second), nil, other)
	m := Moment{Now: someDay.Add(80 * time.Second), Usage: usage}
	if got := drawn(m.PodPast("shop", "web")); got != "..........1." {
		t.Errorf("the past of a pod that was not measured again: %q", got)
	}
}

// What is kept of pods that are gone does not grow with time.
func TestThePastOfPodsThatAreGoneGoesToo(t *testing.T) {
	usage := NewUsage(someDay, nil, nil)
	for step := range 60 {
		now := someDay.Add(time.Duration(step) * pastStep)
		pods := map[PodKey][]ContainerSample{}
		for i := range 500 {
			pods[PodKey{"batch", fmt.Sprint("job-", step, "-", i)}] = []ContainerSample{{"app", sampleAt(now, 100)}}
		}
		usage = usage.Then(now, nil, pods)
		if n := len(usage.Pods.gone); n > 1000+500/2 {
			t.Fatalf("after %d steps, %d pods that are gone", step, n)
		}
	}
	now := someDay.Add(60 * pastStep)
	for step := range PastPoints {
		usage = usage.Then(now.Add(time.Duration(step)*pastStep), nil, map[PodKey][]ContainerSample{{"a", "b"}: {{"app", sampleAt(now.Add(time.Duration(step)*time.Minute), 1)}}})
	}
	if n := len(usage.Pods.gone); n != 0 {
		t.Errorf("%d pods of long ago", n)
	}
}

// Without any sample for a while, as when metrics-server is started anew, no past is lost.
func TestThePastOutlivesTheSource(t *testing.T) {
	pods := map[PodKey][]ContainerSample{}
	for i := range 5000 {
		pods[PodKey{"shop", fmt.Sprint("web-", i)}] = []ContainerSample{{"app", sampleAt(someDay, 300)}}
	}
	usage := NewUsage(someDay, nil, pods)
	usage = usage.Then(someDay.Add(2*pastStep), nil, nil)
	m := Moment{Now: someDay.Add(2 * pastStep), Usage: usage}
	for key := range pods {
		if got := drawn(m.PodPast(key.Namespace, key.Name)); got != ".........3.." {
			t.Fatalf("%s: %q", key.Name, got)
		}
	}
}

func TestBytesOfASampleInMemory(t *testing.T) {
	const n, most = 20_000, 72
	list := podMetricsOf(n)
	for i := range list.Items {
		list.Items[i].Containers = list.Items[i].Containers[:1]
	}
	body := encoded(t, list)["protobuf"]
	filled := heap()
	uses := pollPods(t, body, pollPods(t, body, PodUses{salt: newSalt()})) // with room for as many as there were
	each := (heap() - filled) / n
	t.Logf("%d bytes a sample, at most %d", each, most)
	if each > most {
		t.Errorf("the sample of a pod takes %d bytes of the heap, more than %d", each, most)
	}
	runtime.KeepAlive(uses)
	runtime.KeepAlive(body)
}
