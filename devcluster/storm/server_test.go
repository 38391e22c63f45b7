package storm

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/devcluster/load"
)

var elsewhere = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })

// one is what a watch sends.
type one struct {
	change string
	event  *corev1.Event // nil after an error
}

// watchFrom reads a watch in protobuf until it ends.
func watchFrom(t *testing.T, s *Server, query string) []one {
	t.Helper()
	body, out := io.Pipe()
	done := make(chan []one)
	go func() {
		var all []one
		for stream := bufio.NewReader(body); ; {
			var length [4]byte
			if _, err := io.ReadFull(stream, length[:]); err != nil {
				done <- all
				return
			}
			frame := make([]byte, binary.BigEndian.Uint32(length[:]))
			var e metav1.WatchEvent
			if _, err := io.ReadFull(stream, frame); err != nil || e.Unmarshal(frame) != nil {
				t.Errorf("a frame cannot be read: %v", err)
			}
			o, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), e.Object.Raw)
			if err != nil {
				t.Error(err)
			}
			event, _ := o.(*corev1.Event)
			all = append(all, one{e.Type, event})
		}
	}()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/events?watch=true&"+query, nil)
	r.Header.Set("Accept", runtime.ContentTypeProtobuf)
	s.ServeHTTP(&piped{header: http.Header{}, out: out}, r)
	_ = out.Close()
	return <-done
}

// piped is an answer that is read while it is written.
type piped struct {
	header http.Header
	out    *io.PipeWriter
}

func (p *piped) Header() http.Header         { return p.header }
func (p *piped) WriteHeader(int)             {}
func (p *piped) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p *piped) Flush()                      {}

func newServer() *Server {
	return New(load.Storm{Pods: 400, Nodes: 5, Rate: 1000}, 10*time.Second, elsewhere)
}

func TestAWatchGetsEverythingThatIsSaidOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		time.AfterFunc(2*time.Second, s.Begin)
		got := watchFrom(t, s, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=20")
		if len(got) == 0 || got[0].change != "BOOKMARK" || got[0].event.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
			t.Fatalf("of a calm server, the first of %d is no bookmark at the end of what there is", len(got))
		}
		got = got[1:]
		if len(got) != s.Total() || s.Total() != 10_000 {
			t.Fatalf("%d of %d were sent", len(got), s.Total())
		}
		of, _ := s.due()
		for k, o := range got {
			want, makes := of.Event(k)
			if o.event.Name != want.Name || o.event.Count != want.Count || o.event.ResourceVersion != version(k+1) || makes != (o.change == "ADDED") {
				t.Fatalf("the %d-th is %s %s x%d at %s", k, o.change, o.event.Name, o.event.Count, o.event.ResourceVersion)
			}
		}
	})
}

func TestAWatchThatWasBrokenOffGoesOnBehindWhatItHasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.Begin()
		first := watchFrom(t, s, "resourceVersion="+version(0)+"&timeoutSeconds=3")
		time.Sleep(2 * time.Second) // of the bubble's clock: nobody watches meanwhile
		rest := watchFrom(t, s, "resourceVersion="+first[len(first)-1].event.ResourceVersion+"&timeoutSeconds=10")
		if len(first) == 0 || len(first)+len(rest) != s.Total() {
			t.Fatalf("%d and %d of %d were sent", len(first), len(rest), s.Total())
		}
		if next := rest[0].event.ResourceVersion; next != version(len(first)+1) {
			t.Errorf("after %d came %s", len(first), next)
		}
	})
}

func TestAVersionOfAnotherServerIsGone(t *testing.T) {
	if got := watchFrom(t, newServer(), "resourceVersion=4711"); len(got) != 1 || got[0].change != "ERROR" {
		t.Errorf("sent %v", got)
	}
}

func TestAListIsWhatHasBeenSaidAndAWatchGoesOnFromIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.Begin()
		time.Sleep(4 * time.Second)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/events", nil))
		var list corev1.EventList
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, e := range list.Items {
			switch {
			case e.Series != nil:
				sum += int(e.Series.Count)
			default:
				sum += max(int(e.Count), 1)
			}
		}
		if sum != 4000 || list.ResourceVersion != version(4000) {
			t.Errorf("after 4 s %d were said, at %s", sum, list.ResourceVersion)
		}
		if rest := watchFrom(t, s, "resourceVersion="+list.ResourceVersion+"&timeoutSeconds=10"); len(rest) != 6000 {
			t.Errorf("the watch after it sent %d", len(rest))
		}
	})
}

func TestANamespaceHasItsOwnEventsAndTheRestIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.Begin()
		time.Sleep(time.Second)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/namespaces/shop/events", nil))
		var list corev1.EventList
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Items) == 0 {
			t.Fatalf("%d events: %v", len(list.Items), err)
		}
		for _, e := range list.Items {
			if e.Namespace != "shop" {
				t.Fatalf("one of %s", e.Namespace)
			}
		}
	})
	for path, want := range map[string]int{
		"/api/v1/pods": http.StatusTeapot, "/api/v1/namespaces/shop/pods": http.StatusTeapot, "/apis/events.k8s.io/v1/events": http.StatusTeapot,
		"/api/v1/events?fieldSelector=type%3DWarning": http.StatusBadRequest,
	} {
		w := httptest.NewRecorder()
		newServer().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

func TestAWatchEndsWhenNobodyReadsItAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/events?watch=true", strings.NewReader(""))
		ended := make(chan struct{})
		go func() { defer close(ended); newServer().ServeHTTP(httptest.NewRecorder(), r) }()
		synctest.Wait()
		cancel()
		<-ended
	})
}
