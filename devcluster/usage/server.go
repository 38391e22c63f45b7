package usage

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Options say for what to answer, and where.
type Options struct {
	Nodes, Pods int
	Port        int    // on the loopback address
	Cert, Key   string // files of the certificate
	Faults
}

// Serve answers until ctx ends.
func Serve(ctx context.Context, o Options) error {
	server := &http.Server{
		Addr: fmt.Sprintf("127.0.0.1:%d", o.Port), Handler: Handler(o, time.Now), ReadHeaderTimeout: 10 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServeTLS(o.Cert, o.Key); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answer for metrics.k8s.io: %w", err)
	}
	return nil
}

// Handler answers health checks, discovery, and the lists of nodes and pods. Anybody may ask: what it says is invented.
func Handler(o Options, now func() time.Time) http.Handler {
	s := &server{o: o, now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /openapi/v2", object(map[string]any{ // without one, the API server asks again and again
		"swagger": "2.0", "info": map[string]string{"title": "usage", "version": "v1"}, "paths": map[string]any{},
	}))
	group := group(o.Served())
	mux.HandleFunc("GET /apis", object(&metav1.APIGroupList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}, Groups: []metav1.APIGroup{group},
	}))
	mux.HandleFunc("GET /apis/"+groupName, object(&group))
	for _, version := range group.Versions {
		s.serve(mux, version.GroupVersion)
	}
	return mux
}

// serve answers for one version.
func (s *server) serve(mux *http.ServeMux, apiVersion string) {
	mux.HandleFunc("GET /apis/"+apiVersion, object(&metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: apiVersion,
		APIResources: []metav1.APIResource{
			{Name: "nodes", Kind: "NodeMetrics", Verbs: metav1.Verbs{"list"}},
			{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: metav1.Verbs{"list"}},
		},
	}))
	lists := map[string]func(*http.Request, time.Time) list{
		"/nodes":                       func(_ *http.Request, at time.Time) list { return s.o.nodes(at) },
		"/pods":                        func(_ *http.Request, at time.Time) list { return s.o.pods("", at) },
		"/namespaces/{namespace}/pods": func(r *http.Request, at time.Time) list { return s.o.pods(r.PathValue("namespace"), at) },
	}
	for path, of := range lists {
		mux.HandleFunc("GET /apis/"+apiVersion+path, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(s.o.Delay):
			case <-r.Context().Done(): // whoever asked has gone
				return
			}
			s.answer(w, r, apiVersion, func(at time.Time) list { return of(r, at) })
		})
	}
}

const groupName = "metrics.k8s.io"

// group is the API group with the served versions, the preferred one first.
func group(versions []string) metav1.APIGroup {
	g := metav1.APIGroup{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}, Name: groupName}
	for _, v := range versions {
		g.Versions = append(g.Versions, metav1.GroupVersionForDiscovery{GroupVersion: groupName + "/" + v, Version: v})
	}
	g.PreferredVersion = g.Versions[0]
	return g
}

func object(o any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, o) }
}

func write(w http.ResponseWriter, code int, o any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(o) // whoever asked has gone
}

// server keeps each list of the step that it is, compressed, in each form that was asked for.
type server struct {
	o   Options
	now func() time.Time

	mu   sync.Mutex // held while a list is made: whoever asks for it meanwhile waits for it
	at   time.Time
	made map[string][]byte // by path and form
}

func (s *server) get(path, apiVersion string, protobuf bool, of func(time.Time) list) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.now().Truncate(step); !at.Equal(s.at) || s.made == nil {
		s.at, s.made = at, map[string][]byte{}
	}
	key, form := path+" JSON", list.json
	if protobuf {
		key, form = path+" protobuf", list.protobuf
	}
	if s.made[key] == nil {
		made, err := of(s.at.Add(-s.o.Late)).compressed(apiVersion, form)
		if err != nil {
			return nil, err
		}
		s.made[key] = made
	}
	return s.made[key], nil
}

const protobufType = "application/vnd.kubernetes.protobuf"

// answer sends a list in the first form of the Accept header that it knows, which is JSON or protobuf and never a table,
// compressed if that is allowed.
func (s *server) answer(w http.ResponseWriter, r *http.Request, apiVersion string, of func(time.Time) list) {
	if q := r.URL.Query(); q.Get("labelSelector") != "" || q.Get("fieldSelector") != "" {
		write(w, http.StatusBadRequest, &metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Reason: metav1.StatusReasonBadRequest, Code: http.StatusBadRequest,
			Message: "the usage of a loaded cluster is given as a whole, without selectors",
		})
		return
	}
	protobuf := wantsProtobuf(r.Header.Get("Accept"))
	body, err := s.get(r.URL.Path, apiVersion, protobuf, of)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if protobuf {
		w.Header().Set("Content-Type", protobufType)
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body) // whoever asked has gone
		return
	}
	if plain, err := gzip.NewReader(bytes.NewReader(body)); err == nil { // we have written it
		_, _ = io.Copy(w, plain)
	}
}

func wantsProtobuf(accept string) bool {
	for kind := range strings.SplitSeq(accept, ",") {
		if strings.Contains(kind, ";as=") {
			continue
		}
		kind, _, _ = strings.Cut(kind, ";")
		switch strings.TrimSpace(kind) {
		case protobufType:
			return true
		case "application/json", "*/*":
			return false
		}
	}
	return false
}
