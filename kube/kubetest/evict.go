package kubetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// defaultGrace is terminationGracePeriodSeconds of a pod that says nothing.
const defaultGrace = 30

// Eviction is a request for one.
type Eviction struct {
	Namespace, Name string
	UID             string // that the request is for, "" if it does not say
	Grace           *int64 // seconds
	DryRun          bool
	Try             int // how often it has been asked for that UID, this time included
}

// Reply is what comes of an eviction. The zero Reply leaves it to the server.
type Reply struct {
	Delay  time.Duration  // before anything happens
	Late   time.Duration  // between what happens and the answer
	Status *metav1.Status // the answer
	Err    error          // in place of an answer: the connection breaks
	Done   bool           // with Status or Err: the server does its work none the less
}

// Evictions has a function decide what comes of every eviction from now on; nil leaves them to the server. It is called
// without the lock, by any goroutine.
func (s *Server) Evictions(reply func(Eviction) Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evicted = reply
}

// Clings says which pods stay although their grace period is over, as those of a silent kubelet do.
func (s *Server) Clings(clings func(*corev1.Pod) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clings = clings
}

// Left has a function called, without the lock, for every pod that has gone by itself after its eviction: to replace it.
func (s *Server) Left(left func(*corev1.Pod)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = left
}

// Accepted gives the UIDs of the pods whose eviction has been accepted, and when, whatever the client was told.
func (s *Server) Accepted() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.agreed)
}

// Refuse is the answer of the server to an eviction that a budget does not allow, after what its cause says in full: "The
// disruption budget NAME needs 2 healthy pods and has 2 currently" (createTooManyRequestsError in
// pkg/registry/core/pod/storage/eviction.go).
func Refuse(cause string, retryAfter int) *metav1.Status {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfter)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes,
		metav1.StatusCause{Type: policyv1.DisruptionBudgetCause, Message: cause})
	return &err.ErrStatus
}

// serveEviction answers POST pods/NAME/eviction.
func (s *Server) serveEviction(r *http.Request, t target, body []byte) (*http.Response, error) {
	var review policyv1.Eviction
	if err := json.Unmarshal(body, &review); err != nil {
		return failure(r, apierrors.NewBadRequest(err.Error()).Status()), nil
	}
	e := Eviction{Namespace: t.namespace, Name: t.name, DryRun: r.URL.Query().Get("dryRun") != ""}
	if o := review.DeleteOptions; o != nil {
		e.Grace, e.DryRun = o.GracePeriodSeconds, e.DryRun || len(o.DryRun) > 0
		if o.Preconditions != nil && o.Preconditions.UID != nil {
			e.UID = string(*o.Preconditions.UID)
		}
	}
	reply := s.reply(&e)
	if err := wait(r, reply.Delay); err != nil {
		return nil, err
	}
	var status *metav1.Status
	if reply.Done || reply.Status == nil && reply.Err == nil {
		status = s.evict(e)
	}
	if err := wait(r, reply.Late); err != nil {
		return nil, err
	}
	switch {
	case reply.Err != nil:
		return nil, reply.Err
	case reply.Status != nil:
		return failure(r, *reply.Status), nil
	case status != nil:
		return failure(r, *status), nil
	}
	ok := metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess, Code: 201}
	return answer(r, http.StatusCreated, ok), nil
}

func (s *Server) reply(e *Eviction) Reply {
	s.mu.Lock()
	s.tries[e.UID]++
	e.Try = s.tries[e.UID]
	reply := s.evicted
	s.mu.Unlock()
	if reply == nil {
		return Reply{}
	}
	return reply(*e)
}

// wait lets time pass, unless the client goes before.
func wait(r *http.Request, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return r.Context().Err()
	case <-timer.C:
		return nil
	}
}

// evict does what EvictionREST.Create does (pkg/registry/core/pod/storage/eviction.go), in its order; nil if the pod goes.
func (s *Server) evict(e Eviction) *metav1.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := target{resource: "pods", namespace: e.Namespace, name: e.Name}
	pod, _ := s.find(t).(*corev1.Pod)
	if pod == nil {
		return &apierrors.NewNotFound(t.kind(), t.name).ErrStatus
	}
	if protected(pod) {
		if refused := s.askBudgets(pod, e.DryRun); refused != nil {
			return refused
		}
	}
	if e.UID != "" && e.UID != string(pod.UID) {
		err := fmt.Errorf("Precondition failed: UID in precondition: %s, UID in object meta: %s", e.UID, pod.UID) //nolint:staticcheck // the server's words
		return &apierrors.NewConflict(t.kind(), t.name, err).ErrStatus
	}
	if e.DryRun {
		return nil
	}
	if s.agreed[string(pod.UID)].IsZero() {
		s.agreed[string(pod.UID)] = time.Now()
	}
	if pod.DeletionTimestamp == nil {
		s.end(pod.DeepCopy(), e.Grace)
	}
	return nil
}

// protected tells the pods that budgets are asked for (canIgnorePDB).
func protected(pod *corev1.Pod) bool {
	switch pod.Status.Phase {
	case corev1.PodSucceeded, corev1.PodFailed, corev1.PodPending:
		return false
	default:
		return pod.DeletionTimestamp == nil
	}
}

// askBudgets asks the budgets of a pod, and takes one disruption from the one that allows it.
func (s *Server) askBudgets(pod *corev1.Pod, dryRun bool) *metav1.Status {
	var all []*policyv1.PodDisruptionBudget
	for _, o := range s.kept["poddisruptionbudgets"] {
		pdb := o.(*policyv1.PodDisruptionBudget)
		selector := must(metav1.LabelSelectorAsSelector(pdb.Spec.Selector))
		if pdb.Namespace == pod.Namespace && selector.Matches(labels.Set(pod.Labels)) {
			all = append(all, pdb)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
	default:
		err := errors.New("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.") //nolint:staticcheck // the server's words
		status := apierrors.NewInternalError(err).ErrStatus
		status.Message = err.Error()
		return &status
	}
	pdb := all[0].DeepCopy()
	name, status := pdb.Name, &pdb.Status
	always := pdb.Spec.UnhealthyPodEvictionPolicy != nil && *pdb.Spec.UnhealthyPodEvictionPolicy == policyv1.AlwaysAllow
	switch {
	case !ready(pod) && (always || status.CurrentHealthy >= status.DesiredHealthy && status.DesiredHealthy > 0):
		return nil
	case status.ObservedGeneration < pdb.Generation:
		return Refuse(fmt.Sprintf("The disruption budget %s is still being processed by the server.", name), 10)
	case status.DisruptionsAllowed < 0:
		return &apierrors.NewForbidden(policyv1.Resource("poddisruptionbudget"), name,
			errors.New("pdb disruptions allowed is negative")).ErrStatus
	case status.DisruptionsAllowed == 0:
		return Refuse(fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently",
			name, status.DesiredHealthy, status.CurrentHealthy), 0)
	case dryRun:
		return nil
	}
	status.DisruptionsAllowed--
	s.put(pdb)
	return nil
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// end deletes a pod as the server does: those on a node at the end of their grace period, if nothing holds them.
func (s *Server) end(pod *corev1.Pod, grace *int64) {
	seconds := int64(defaultGrace)
	if own := pod.Spec.TerminationGracePeriodSeconds; own != nil {
		seconds = *own
	}
	if grace != nil {
		seconds = *grace
	}
	if pod.Spec.NodeName == "" {
		seconds = 0
	}
	at := metav1.NewTime(time.Now().Add(time.Duration(seconds) * time.Second).Truncate(time.Second))
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &at, &seconds
	s.put(pod)
	uid := pod.UID
	time.AfterFunc(time.Duration(seconds)*time.Second, func() { s.ended(string(uid)) })
}

// ended removes a pod whose grace period is over.
func (s *Server) ended(uid string) {
	s.mu.Lock()
	var pod *corev1.Pod
	for _, o := range s.kept["pods"] {
		if string(o.GetUID()) == uid {
			pod = o.(*corev1.Pod).DeepCopy()
		}
	}
	left := s.left
	if pod == nil || len(pod.Finalizers) > 0 || s.clings != nil && s.clings(pod) {
		s.mu.Unlock()
		return
	}
	// What the kubelet deletes at last has no grace period any more, and the time of that as its deletionTimestamp.
	now, none := metav1.NewTime(time.Now().Truncate(time.Second)), int64(0)
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &now, &none
	s.put(pod)
	s.remove(pod)
	s.mu.Unlock()
	if left != nil {
		left(pod)
	}
}
