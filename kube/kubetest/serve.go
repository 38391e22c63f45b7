package kubetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
)

// Version is what the server says that it is.
const Version = "v1.36.3"

// User is who the server takes everybody for.
const User = "alice"

// serve answers a request. The lock is held.
func (s *Server) serve(r *http.Request, body []byte) *http.Response {
	path := r.URL.Path
	switch {
	case path == "/version":
		return answer(r, http.StatusOK, version.Info{Major: "1", Minor: "36", GitVersion: Version})
	case strings.HasSuffix(path, "/selfsubjectreviews"):
		review := authenticationv1.SelfSubjectReview{}
		review.TypeMeta = metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "SelfSubjectReview"}
		review.Status.UserInfo.Username = User
		return answer(r, http.StatusCreated, review)
	case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
		return answer(r, http.StatusCreated, s.review(body))
	}
	if samples := s.serveMetrics(r); samples != nil {
		return samples
	}
	if service := s.serveAPIService(r); service != nil {
		return service
	}
	return s.serveObjects(r, body)
}

// review says whether somebody may do something: all but what has been denied.
func (s *Server) review(body []byte) authorizationv1.SelfSubjectAccessReview {
	review := authorizationv1.SelfSubjectAccessReview{}
	_ = json.Unmarshal(body, &review) // what cannot be read asks for nothing
	review.TypeMeta = metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
	review.Status.Allowed = true
	if a := review.Spec.ResourceAttributes; a != nil {
		words := a.Verb + " " + a.Resource
		if a.Subresource != "" {
			words += "/" + a.Subresource
		}
		review.Status.Allowed = !slices.Contains(s.denied, words) && !slices.Contains(s.denied, words+" in "+a.Namespace)
	}
	return review
}

// Deny makes the server say to whoever asks whether he may do something that he may not: "create pods/eviction", in all
// namespaces, or "create pods/eviction in shop". The requests themselves are not refused: for that, see Answer.
func (s *Server) Deny(permissions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = permissions
}
