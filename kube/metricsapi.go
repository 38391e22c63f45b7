package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
)

const metricsGroup = "metrics.k8s.io"

// metricsVersions are those that we can read (supportedMetricsAPIVersions in pkg/cmd/top/top.go of kubectl).
var metricsVersions = []string{"v1", "v1beta1"}

// errNoMetrics is for a server that knows no metrics API.
var errNoMetrics error = noMetrics{}

type noMetrics struct{}

func (noMetrics) Error() string { return metricsGroup + " is not registered" }

func (n noMetrics) explain() Explanation {
	return Explanation{
		Sentence: n.Error() + ".", Next: "Install metrics-server; the rest of ktriage works without it.", Code: ExitError,
	}
}

// discover gives the version that kubectl would take: the first of those that the server offers, in its own order, that we know
// (SupportedMetricsAPIVersionAvailable in pkg/metricsutil of kubectl).
func (m *meter) discover(ctx context.Context) (string, error) {
	raw, err := m.get(ctx, "/apis", metricsGroup)
	switch {
	case apierrors.IsNotFound(err):
		return "", errNoMetrics
	case apierrors.IsForbidden(err): // the lists may be allowed all the same
		return metricsVersions[len(metricsVersions)-1], nil
	case err != nil:
		return "", fmt.Errorf("look for %s: %w", metricsGroup, err)
	}
	var group metav1.APIGroup
	if err := json.Unmarshal(raw, &group); err != nil {
		return "", fmt.Errorf("look for %s: %w", metricsGroup, err)
	}
	var offered []string
	for _, v := range group.Versions {
		if slices.Contains(metricsVersions, v.Version) {
			return v.Version, nil
		}
		offered = append(offered, text.Clean(v.Version))
	}
	return "", fmt.Errorf("the server has %s in the versions [%s], and not in [%s]",
		metricsGroup, strings.Join(offered, " "), strings.Join(metricsVersions, " "))
}

// get reads one object as JSON.
func (m *meter) get(ctx context.Context, path ...string) ([]byte, error) {
	answer := m.client.RESTClient().Get().AbsPath(path...).SetHeader("Accept", "application/json").MaxRetries(0).Do(ctx)
	if err := answer.Error(); err != nil { // in the server's own words, which Raw does not look for
		return nil, err
	}
	return answer.Raw()
}

// apiService is how the API server sees the server of an aggregated API: the condition Available of its APIService
// (apiregistration.k8s.io/v1). The zero value is one that is available, or was not asked for.
type apiService struct {
	reason, message string
	err             error // why it could not be read
}

func (s apiService) same(t apiService) bool {
	return s.reason == t.reason && s.message == t.message && fmt.Sprint(s.err) == fmt.Sprint(t.err)
}

// apiServiceLimit bounds the one request that says why another got no answer.
const apiServiceLimit = 5 * time.Second

// ask asks the API server how it sees the metrics API after a failure that it may know the reason of.
func (m *meter) ask(ctx context.Context, cause error) (is apiService) {
	if m.version == "" || !unserved(cause) {
		return apiService{}
	}
	ctx, stop := context.WithTimeout(ctx, apiServiceLimit)
	defer stop()
	raw, err := m.get(ctx, "/apis/apiregistration.k8s.io/v1/apiservices", m.version+"."+metricsGroup)
	if err != nil {
		return apiService{err: err}
	}
	var service struct {
		Status struct{ Conditions []metav1.Condition }
	}
	if err := json.Unmarshal(raw, &service); err != nil {
		return apiService{err: err}
	}
	for _, c := range service.Status.Conditions {
		if c.Type == "Available" && c.Status != metav1.ConditionTrue {
			is.reason, is.message = clean(c.Reason), gist(c.Message)
		}
	}
	return is
}

// unserved reports whether nobody answers for the API: it is down, or too slow.
func unserved(err error) bool {
	return apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || late(err)
}

// late reports whether we gave up waiting.
func late(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
