// Package storm answers for the events of a loaded cluster in the place of its API server, from memory, and passes on every
// other request. Its one rule: what it says of events is load.Storm as far as it is due, and costs next to nothing, so that what
// is measured is whoever watches.
package storm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/devcluster/load"
)

// Server holds one storm. It is calm until Begin.
type Server struct {
	storm    load.Storm
	span     time.Duration
	upstream http.Handler // for everything else

	mu    sync.Mutex
	began time.Time // zero until then
}

// New gives a server of a storm that lasts for span once it has begun; what is not about events, upstream answers.
func New(storm load.Storm, span time.Duration, upstream http.Handler) *Server {
	return &Server{storm: storm, span: span, upstream: upstream}
}

// Begin begins the storm, once.
func (s *Server) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.began.IsZero() {
		s.began = time.Now()
	}
}

// Total is how much is said when the storm is over.
func (s *Server) Total() int { return int(s.span.Seconds() * float64(s.storm.Rate)) }

// Report gives what has been said when the storm is over.
func (s *Server) Report() load.StormReport {
	blowing, _ := s.due()
	return blowing.Report(s.Total(), s.span)
}

// due gives the storm, and how much of it has been said by now.
func (s *Server) due() (load.Storm, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	blowing := s.storm
	blowing.Began = s.began
	if s.began.IsZero() {
		return blowing, 0
	}
	return blowing, min(int(time.Since(s.began).Seconds()*float64(blowing.Rate)), s.Total())
}

// ServeHTTP answers for /api/v1/events and /api/v1/namespaces/NAME/events.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	namespace, ours := namespaceOf(r.URL.Path)
	switch q := r.URL.Query(); {
	case !ours || r.Method != http.MethodGet:
		s.upstream.ServeHTTP(w, r)
	case q.Get("labelSelector") != "" || q.Get("fieldSelector") != "":
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, "the events of a storm are given as a whole, without selectors")
	case q.Get("watch") == "true" || q.Get("watch") == "1":
		s.watch(w, r, namespace)
	default:
		s.list(w, r, namespace)
	}
}

// namespaceOf reads the namespace, "" for all, from a path, if it is one of events.
func namespaceOf(path string) (namespace string, ours bool) {
	if path == "/api/v1/events" {
		return "", true
	}
	namespace, ours = strings.CutPrefix(path, "/api/v1/namespaces/")
	if !ours {
		return "", false
	}
	return strings.CutSuffix(namespace, "/events")
}

func refuse(w http.ResponseWriter, code int32, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(code))
	_ = json.NewEncoder(w).Encode(failure(code, reason, message)) // whoever asked has gone
}

func failure(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Reason: reason, Code: code, Message: message,
	}
}

// before is the resource version before the first event: higher than any that an etcd has got to.
const before = 1_000_000_000_000

func version(said int) string { return strconv.Itoa(before + said) }

// saying gives the k-th event with its resource version.
func saying(of load.Storm, k int) (*corev1.Event, watch.EventType) {
	e, makes := of.Event(k)
	e.ResourceVersion = version(k + 1)
	if makes {
		return e, watch.Added
	}
	return e, watch.Modified
}

// objects gives every event object of a namespace as it is when so much has been said, the one that changed last at the end.
func objects(of load.Storm, said int, namespace string) []corev1.Event {
	last := map[string]int{}
	names := make([]string, said)
	for k := range said {
		e, _ := of.Event(k)
		names[k] = e.Namespace + "/" + e.Name
		last[names[k]] = k
	}
	var out []corev1.Event
	for k, name := range names {
		if e, _ := saying(of, k); last[name] == k && (namespace == "" || namespace == e.Namespace) {
			out = append(out, *e)
		}
	}
	return out
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, namespace string) {
	of, said := s.due()
	form := formOf(r)
	body, err := form.object(&corev1.EventList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "EventList"},
		ListMeta: metav1.ListMeta{ResourceVersion: version(said)}, Items: objects(of, said, namespace),
	})
	if err != nil {
		refuse(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, err.Error())
		return
	}
	w.Header().Set("Content-Type", form.contentType())
	_, _ = w.Write(body) // whoever asked has gone
}

// beat is the time between two looks at what is due.
const beat = 5 * time.Millisecond

// watch sends what is said from the wanted version on, before it what there is if that is wanted, until the client goes or its
// time is over.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, namespace string) {
	q, form := r.URL.Query(), formOf(r)
	out := &frames{w: w, form: form}
	w.Header().Set("Content-Type", form.contentType()+";stream=watch")
	of, said := s.due()
	from := said
	switch asked, err := strconv.Atoi(q.Get("resourceVersion")); {
	case q.Get("sendInitialEvents") == "true" || err != nil || asked == 0:
		for _, e := range objects(of, said, namespace) {
			out.send(watch.Added, &e)
		}
		if q.Get("sendInitialEvents") == "true" {
			out.send(watch.Bookmark, bookmark(said))
		}
	case asked < before: // of another server
		out.send(watch.Error, failure(http.StatusGone, metav1.StatusReasonExpired, "too old resource version"))
		return
	default:
		from = asked - before
	}
	out.flush()
	seconds, _ := strconv.Atoi(q.Get("timeoutSeconds"))
	var over <-chan time.Time // never, if it does not say
	if seconds > 0 {
		over = time.After(time.Duration(seconds) * time.Second)
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for out.err == nil {
		select {
		case <-tick.C:
		case <-over:
			return
		case <-r.Context().Done():
			return
		}
		from = s.sendDue(out, from, namespace)
	}
}

// sendDue sends what is due from a saying on, and gives the one after the last.
func (s *Server) sendDue(out *frames, from int, namespace string) int {
	of, said := s.due()
	for k := from; k < said; k++ {
		if e, change := saying(of, k); namespace == "" || namespace == e.Namespace {
			out.send(change, e)
		}
	}
	if said > from {
		out.flush()
	}
	return max(from, said)
}

// bookmark ends what a watch sends first.
func bookmark(said int) *corev1.Event {
	return &corev1.Event{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta: metav1.ObjectMeta{
			ResourceVersion: version(said), Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
		},
	}
}

// form is how objects are written.
type form struct{ protobuf bool }

var (
	asProtobuf = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	asJSON     = jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, jsonserializer.SerializerOptions{})
)

// formOf is protobuf if that is accepted, and JSON otherwise: never a table.
func formOf(r *http.Request) form {
	return form{strings.Contains(r.Header.Get("Accept"), runtime.ContentTypeProtobuf)}
}

func (f form) contentType() string {
	if f.protobuf {
		return runtime.ContentTypeProtobuf
	}
	return runtime.ContentTypeJSON
}

func (f form) object(o runtime.Object) ([]byte, error) {
	var b bytes.Buffer
	var as runtime.Encoder = asJSON
	if f.protobuf {
		as = asProtobuf
	}
	if err := as.Encode(o, &b); err != nil {
		return nil, fmt.Errorf("write an event: %w", err)
	}
	return b.Bytes(), nil
}

// frames writes what a watch sends. After an error it writes nothing more.
type frames struct {
	w    http.ResponseWriter
	form form
	err  error
}

func (f *frames) send(change watch.EventType, o runtime.Object) {
	if f.err != nil {
		return
	}
	var raw []byte
	if raw, f.err = f.form.object(o); f.err != nil {
		return
	}
	if !f.form.protobuf {
		_, f.err = fmt.Fprintf(f.w, `{"type":%q,"object":%s}`+"\n", change, bytes.TrimSpace(raw))
		return
	}
	e := metav1.WatchEvent{Type: string(change), Object: runtime.RawExtension{Raw: raw}}
	frame, err := e.Marshal()
	if f.err = err; err != nil {
		return
	}
	if _, f.err = f.w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(frame)))); f.err == nil {
		_, f.err = f.w.Write(frame)
	}
}

func (f *frames) flush() {
	if err := http.NewResponseController(f.w).Flush(); f.err == nil {
		f.err = err
	}
}
