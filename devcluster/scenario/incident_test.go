package scenario

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// incident is the rendered scenario by kind.
type incident struct {
	nodes        []corev1.Node
	pods         []corev1.Pod // bare ones and mirrors
	secrets      []corev1.Secret
	deployments  []appsv1.Deployment
	daemonSets   []appsv1.DaemonSet
	statefulSets []appsv1.StatefulSet
	jobs         []batchv1.Job
	cronJobs     []batchv1.CronJob
	budgets      []policyv1.PodDisruptionBudget
	scalers      []autoscalingv2.HorizontalPodAutoscaler
	requests     []certificatesv1.CertificateSigningRequest
	steps        map[string][]*step // by kind
}

func readIncident(t *testing.T) *incident {
	t.Helper()
	in := &incident{steps: map[string][]*step{}}
	for _, o := range objects(t, "incident", env) {
		if o.GetAPIVersion() == ours {
			s, err := newStep(o)
			if err != nil {
				t.Fatal(err)
			}
			in.steps[o.GetKind()] = append(in.steps[o.GetKind()], s)
			continue
		}
		switch o.GetKind() {
		case "Node":
			in.nodes = add(t, in.nodes, o.Object)
		case "Pod":
			in.pods = add(t, in.pods, o.Object)
		case "Secret":
			in.secrets = add(t, in.secrets, o.Object)
		case "Deployment":
			in.deployments = add(t, in.deployments, o.Object)
		case "DaemonSet":
			in.daemonSets = add(t, in.daemonSets, o.Object)
		case "StatefulSet":
			in.statefulSets = add(t, in.statefulSets, o.Object)
		case "Job":
			in.jobs = add(t, in.jobs, o.Object)
		case "CronJob":
			in.cronJobs = add(t, in.cronJobs, o.Object)
		case "PodDisruptionBudget":
			in.budgets = add(t, in.budgets, o.Object)
		case "HorizontalPodAutoscaler":
			in.scalers = add(t, in.scalers, o.Object)
		case "CertificateSigningRequest":
			in.requests = add(t, in.requests, o.Object)
		}
	}
	return in
}

func add[T any](t *testing.T, list []T, object map[string]any) []T {
	t.Helper()
	var typed T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &typed); err != nil {
		t.Fatal(err)
	}
	return append(list, typed)
}

// told is what the annotation devcluster.ktriage/status says of a pod, as base/40-pods.yaml reads it.
type told struct {
	Phase      string
	Reason     string
	Conditions map[string]string
	Containers map[string]struct {
		Ready bool
		State struct {
			Waiting    *struct{ Reason string }
			Terminated *struct {
				ExitCode int
				Reason   string
			}
		}
		Last struct {
			Terminated *struct{ ExitCode int }
		}
	}
}

func read(t *testing.T, annotations map[string]string, key string) (out told) {
	t.Helper()
	if text := annotations["devcluster.ktriage/"+key]; text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Errorf("devcluster.ktriage/%s: %v in %s", key, err, text)
		}
	}
	return out
}

// templates gives the annotations and the spec of every pod that will be.
func (in *incident) templates() map[string]corev1.PodTemplateSpec {
	out := map[string]corev1.PodTemplateSpec{}
	for _, p := range in.pods {
		out["Pod/"+p.Namespace+"/"+p.Name] = corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec}
	}
	for _, o := range in.deployments {
		out["Deployment/"+o.Namespace+"/"+o.Name] = o.Spec.Template
	}
	for _, o := range in.daemonSets {
		out["DaemonSet/"+o.Namespace+"/"+o.Name] = o.Spec.Template
	}
	for _, o := range in.statefulSets {
		out["StatefulSet/"+o.Namespace+"/"+o.Name] = o.Spec.Template
	}
	for _, o := range in.jobs {
		out["Job/"+o.Namespace+"/"+o.Name] = o.Spec.Template
	}
	return out
}

func TestANodeFallsSilentAndPodsAreDeletedOnIt(t *testing.T) {
	in := readIncident(t)
	for _, p := range in.steps["Patch"] {
		if p.Resource != "nodes" || !strings.Contains(mustJSON(t, p.Patch), `"devcluster.ktriage/kubelet":"silent"`) {
			continue
		}
		given := slices.ContainsFunc(in.steps["Wait"], func(w *step) bool {
			return w.Resource == "nodes" && w.Name == p.Name && w.Value == "Unknown"
		})
		deleted := slices.ContainsFunc(in.steps["Delete"], func(d *step) bool {
			return d.Resource == "pods" && d.FieldSelector == "spec.nodeName="+p.Name
		})
		if given && deleted {
			return
		}
	}
	t.Error("no node falls silent, is given up, and has pods deleted on it")
}

func TestANodeIsCordoned(t *testing.T) {
	in := readIncident(t)
	if !slices.ContainsFunc(in.steps["Patch"], func(p *step) bool {
		return p.Resource == "nodes" && mustJSON(t, p.Patch) == `{"spec":{"unschedulable":true}}`
	}) {
		t.Error("no node is cordoned")
	}
}

func TestNodesHavePressure(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range readIncident(t).nodes {
		var conditions map[string]struct{ Status, Reason, Message, Ago string }
		if text := n.Annotations["devcluster.ktriage/conditions"]; text != "" {
			if err := json.Unmarshal([]byte(text), &conditions); err != nil {
				t.Errorf("%s: %v", n.Name, err)
			}
		}
		for kind, c := range conditions {
			seen[kind+"="+c.Status] = true
		}
	}
	for _, want := range []string{"MemoryPressure=True", "DiskPressure=True", "Ready=False"} {
		if !seen[want] {
			t.Errorf("no node has %s", want)
		}
	}
}

func TestPodsFailInEveryKnownWay(t *testing.T) {
	seen := map[string]bool{}
	for name, p := range readIncident(t).templates() {
		inits := map[string]bool{}
		for _, c := range p.Spec.InitContainers {
			inits[c.Name] = true
			if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
				seen["sidecar"] = true
			}
		}
		status := read(t, p.Annotations, "status")
		seen["reason "+status.Reason] = true
		for container, c := range status.Containers {
			if !inits[container] && !slices.ContainsFunc(p.Spec.Containers, func(s corev1.Container) bool { return s.Name == container }) {
				t.Errorf("%s is told of a container %q that it does not have", name, container)
			}
			if w := c.State.Waiting; w != nil {
				seen["waiting "+w.Reason] = true
			}
			if s := c.State.Terminated; s != nil {
				seen["terminated "+s.Reason] = true
			}
			if inits[container] && c.Last.Terminated != nil && c.Last.Terminated.ExitCode != 0 {
				seen["failing init container"] = true
			}
		}
		for _, v := range p.Spec.Volumes {
			seen["emptyDir"] = seen["emptyDir"] || v.EmptyDir != nil
		}
	}
	for _, want := range []string{
		"waiting CrashLoopBackOff", "terminated OOMKilled", "waiting ImagePullBackOff", "waiting ContainerCreating",
		"reason Evicted", "failing init container", "sidecar", "emptyDir",
	} {
		if !seen[want] {
			t.Errorf("no pod has: %s", want)
		}
	}
}

// One fits on no node by its size, one by its selector: the scheduler says so with FailedScheduling.
func TestPodsFitOnNoNode(t *testing.T) {
	in := readIncident(t)
	tooBig, nowhere := false, false
	for _, p := range in.pods {
		memory := p.Spec.Containers[0].Resources.Requests.Memory()
		big, selected := true, false
		for _, n := range in.nodes {
			// GPU nodes are tainted: what does not tolerate it cannot go there, however big they are.
			if len(n.Spec.Taints) == 0 && memory.Cmp(*n.Status.Allocatable.Memory()) <= 0 {
				big = false
			}
			selected = selected || labels.SelectorFromSet(p.Spec.NodeSelector).Matches(labels.Set(n.Labels))
		}
		tooBig, nowhere = tooBig || big, nowhere || !selected
	}
	if !tooBig || !nowhere {
		t.Errorf("a pod too big for every node: %t; one that selects no node: %t", tooBig, nowhere)
	}
}

func TestPodsComeFromEverywhere(t *testing.T) {
	in := readIncident(t)
	mirrors, plain := 0, 0
	for _, p := range in.pods {
		if p.Annotations[corev1.MirrorPodAnnotationKey] != "" {
			mirrors++
		} else {
			plain++
		}
	}
	if mirrors == 0 || plain == 0 || len(in.daemonSets) == 0 || len(in.jobs) == 0 || len(in.cronJobs) == 0 {
		t.Errorf("%d static pods, %d bare ones, %d DaemonSets, %d Jobs, %d CronJobs",
			mirrors, plain, len(in.daemonSets), len(in.jobs), len(in.cronJobs))
	}
}

// ill gives the names of the pods that fall ill after they ran.
func (in *incident) ill(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, p := range in.steps["Patch"] {
		metadata, _ := p.Patch["metadata"].(map[string]any)
		annotations, _ := metadata["annotations"].(map[string]any)
		text, _ := annotations["devcluster.ktriage/then"].(string)
		then := read(t, map[string]string{"devcluster.ktriage/then": text}, "then")
		for _, c := range then.Containers {
			if !c.Ready && p.Resource == "pods" {
				out = append(out, p.Name)
			}
		}
	}
	return out
}

func TestAStatefulSetWithVolumesHasAnUnhealthyMember(t *testing.T) {
	in := readIncident(t)
	ill := in.ill(t)
	for _, s := range in.statefulSets {
		if len(s.Spec.VolumeClaimTemplates) == 0 {
			t.Errorf("%s has no volumes", s.Name)
		}
	}
	if !slices.ContainsFunc(in.statefulSets, func(s appsv1.StatefulSet) bool {
		return slices.ContainsFunc(ill, func(name string) bool { return strings.HasPrefix(name, s.Name+"-") })
	}) {
		t.Errorf("no member of a StatefulSet falls ill, only %s", ill)
	}
}

func TestBudgetsBlockForEverForNowAndNotAtAll(t *testing.T) {
	in := readIncident(t)
	ill := in.ill(t)
	forEver, forNow, roomy := false, false, false
	matching := map[string]int{}
	for _, b := range in.budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range in.deployments {
			if d.Namespace == b.Namespace && selector.Matches(labels.Set(d.Spec.Template.Labels)) {
				matching[d.Name]++
				roomy = roomy || (b.Spec.MaxUnavailable != nil && b.Spec.MaxUnavailable.StrVal == "25%" && *d.Spec.Replicas >= 4)
			}
		}
		for _, s := range in.statefulSets {
			if s.Namespace != b.Namespace || !selector.Matches(labels.Set(s.Spec.Template.Labels)) {
				continue
			}
			forEver = forEver || (b.Spec.MaxUnavailable != nil && b.Spec.MaxUnavailable.IntValue() == 0)
			isIll := slices.ContainsFunc(ill, func(name string) bool { return strings.HasPrefix(name, s.Name+"-") })
			forNow = forNow || (isIll && b.Spec.MinAvailable != nil && b.Spec.MinAvailable.IntValue() == int(*s.Spec.Replicas)-1)
		}
	}
	twice := false
	for _, n := range matching {
		twice = twice || n == 2
	}
	if !forEver || !forNow || !roomy || !twice {
		t.Errorf("budgets that block for ever: %t, for now: %t, not at all: %t, two on one pod: %t", forEver, forNow, roomy, twice)
	}
}

func TestAnAutoscalerHasATarget(t *testing.T) {
	in := readIncident(t)
	if len(in.scalers) == 0 {
		t.Fatal("no HorizontalPodAutoscaler")
	}
	for _, h := range in.scalers {
		if !slices.ContainsFunc(in.deployments, func(d appsv1.Deployment) bool {
			return d.Namespace == h.Namespace && d.Name == h.Spec.ScaleTargetRef.Name
		}) {
			t.Errorf("%s scales %s, which is not there", h.Name, h.Spec.ScaleTargetRef.Name)
		}
	}
}

func TestADeletedPodIsHeldByAFinalizer(t *testing.T) {
	in := readIncident(t)
	if !slices.ContainsFunc(in.pods, func(p corev1.Pod) bool {
		return len(p.Finalizers) > 0 && slices.ContainsFunc(in.steps["Delete"], func(d *step) bool {
			return d.Resource == "pods" && d.Namespace == p.Namespace && d.Name == p.Name
		})
	}) {
		t.Error("no pod with a finalizer is deleted")
	}
}

func TestSecretsHoldCertificatesThatAreExpiredAndAboutTo(t *testing.T) {
	expired, soon, good := false, false, false
	for _, s := range readIncident(t).secrets {
		if s.Type != corev1.SecretTypeTLS {
			continue
		}
		block, _ := pem.Decode(s.Data[corev1.TLSCertKey])
		if block == nil {
			t.Fatalf("%s holds no certificate", s.Name)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if key, _ := pem.Decode(s.Data[corev1.TLSPrivateKeyKey]); key == nil {
			t.Errorf("%s holds no key", s.Name)
		}
		left := cert.NotAfter.Sub(env.Now)
		expired = expired || left < 0
		soon = soon || (left > 0 && left < 14*24*time.Hour)
		good = good || left > 30*24*time.Hour
	}
	if !expired || !soon || !good {
		t.Errorf("expired: %t, about to: %t, good: %t", expired, soon, good)
	}
}

func TestKubeletsAskForServingCertificates(t *testing.T) {
	in := readIncident(t)
	if len(in.requests) == 0 {
		t.Fatal("no CertificateSigningRequest")
	}
	for _, r := range in.requests {
		block, _ := pem.Decode(r.Spec.Request)
		if block == nil {
			t.Fatalf("%s holds no request", r.Name)
		}
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if err := request.CheckSignature(); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		// kube-controller-manager's signer wants requestor, common name and node to agree.
		if r.Spec.SignerName != certificatesv1.KubeletServingSignerName || r.Annotations[asUser] != request.Subject.CommonName ||
			!slices.ContainsFunc(in.nodes, func(n corev1.Node) bool { return "system:node:"+n.Name == request.Subject.CommonName }) {
			t.Errorf("%s: signer %s, requested by %s for %s", r.Name, r.Spec.SignerName, r.Annotations[asUser], request.Subject.CommonName)
		}
		if len(r.Status.Conditions) > 0 {
			t.Errorf("%s does not wait", r.Name)
		}
	}
}

func TestUsageChangesWithTheAgeOfAPod(t *testing.T) {
	moving := 0
	for _, o := range objects(t, base, env) {
		if o.GetKind() != "ClusterResourceUsage" {
			continue
		}
		moving += strings.Count(mustJSON(t, o.Object["spec"]), "pod.SinceSecond()")
	}
	if moving == 0 {
		t.Error("what pods use never changes")
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWhatIsSaidIsSaidOfObjectsOfTheScenario(t *testing.T) {
	in := readIncident(t)
	names := map[string]bool{}
	for _, d := range in.deployments {
		names[d.Namespace+"/"+d.Spec.Template.Labels["app"]] = true
	}
	for _, p := range in.pods {
		names[p.Namespace+"/"+p.Labels["app"]], names[p.Namespace+"/"+p.Name] = true, true
	}
	for _, s := range in.statefulSets {
		names[s.Namespace+"/"+s.Name+"-2"] = *s.Spec.Replicas > 2
	}
	for _, n := range in.nodes {
		names["/"+n.Name] = true
	}
	reasons, again := map[string]bool{}, 0
	all, err := sayings("incident", env.Now)
	if err != nil || len(all) != len(in.steps[says]) {
		t.Fatalf("%d of %d sayings are read: %v", len(all), len(in.steps[says]), err)
	}
	for _, s := range all {
		about := s.Namespace + "/" + s.Name + strings.TrimPrefix(s.Selector, "app=")
		if !names[about] && s.FieldSelector == "" {
			t.Errorf("%s is not there", about)
		}
		if s.Every != "" {
			again++
		}
		for _, e := range s.Events {
			reasons[e.Reason] = true
		}
	}
	for _, want := range []string{"BackOff", "Unhealthy", "Failed", "Pulled", "Started", "Evicted", "NetworkNotReady", "InvalidEnvironmentVariableNames"} {
		if !reasons[want] {
			t.Errorf("nobody says %s", want)
		}
	}
	if again == 0 || !Talks("incident") || Talks("calm") {
		t.Errorf("%d things are said again; something is said in incident: %t, in calm: %t", again, Talks("incident"), Talks("calm"))
	}
}

func TestADeploymentMayNotHaveItsPods(t *testing.T) {
	var ranges []corev1.LimitRange
	for _, o := range objects(t, "incident", env) {
		if o.GetKind() == "LimitRange" {
			ranges = add(t, ranges, o.Object)
		}
	}
	refused := 0
	for _, r := range ranges {
		for _, d := range readIncident(t).deployments {
			limit, most := d.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory], r.Spec.Limits[0].Max[corev1.ResourceMemory]
			if d.Namespace == r.Namespace && limit.Cmp(most) > 0 {
				refused++
			}
		}
	}
	if refused != 1 {
		t.Errorf("%d Deployments ask for more than is allowed", refused)
	}
}

func TestASayingThatCannotBeSaidIsRefused(t *testing.T) {
	for _, fields := range []map[string]any{
		{"resource": "pods"},
		{"resource": "pods", "events": []any{map[string]any{"type": "Warning"}}},
		{"resource": "pods", "events": []any{map[string]any{"type": "Bad", "reason": "BackOff"}}},
		{"resource": "pods", "every": "often", "events": []any{map[string]any{"type": "Normal", "reason": "Pulled"}}},
	} {
		fields["apiVersion"], fields["kind"] = ours, says
		if _, err := newStep(&unstructured.Unstructured{Object: fields}); err == nil {
			t.Errorf("%v was taken", fields)
		}
	}
}
