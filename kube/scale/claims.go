package scale

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

// judgeClaims says what becomes of the claims of the pods that come and go; retain: the policy is set to Retain before.
func (w *Workload) judgeClaims(f *facts, s *appsv1.StatefulSet, retain bool) {
	if len(s.Spec.VolumeClaimTemplates) == 0 {
		return
	}
	known := f.claims[w.Ref.Namespace]
	if known == nil {
		w.unknownClaims(s, retain)
		return
	}
	for _, pod := range w.Goes {
		for i := range s.Spec.VolumeClaimTemplates {
			name := s.Spec.VolumeClaimTemplates[i].Name + "-" + pod
			claim := known[name]
			if claim == nil {
				continue
			}
			c := f.claim(claim, pod)
			c.Fate = Kept
			if w.Deletes && !retain {
				c.Fate, c.Why = deletion(claim, s, pod)
			}
			w.Claims = append(w.Claims, c)
		}
	}
	for _, pod := range w.Comes {
		for i := range s.Spec.VolumeClaimTemplates {
			template := &s.Spec.VolumeClaimTemplates[i]
			claim := known[template.Name+"-"+pod]
			if claim == nil {
				w.Claims = append(w.Claims, planned(template, pod))
				continue
			}
			c := f.claim(claim, pod)
			c.Fate = Reused
			switch {
			case claim.DeletionTimestamp != nil:
				c.Fate, c.Why = Made, "the one that there is is being deleted; the new one is empty"
			case w.Deletes && ownedByPod(claim, pod):
				c.Fate, c.Why = Made, "the one that there is goes with its last pod; the new one is empty"
			}
			w.Claims = append(w.Claims, c)
		}
	}
}

// remade says which pods stay that are being deleted now: they are made again, and claims that they own by then are empty
// then. The controller lets go of no claim of a pod that is going (processReplica in stateful_set_control.go).
func (w *Workload) remade(f *facts, s *appsv1.StatefulSet) {
	for _, m := range w.Members {
		if m.State != "Terminating" || m.Removed > 0 {
			continue
		}
		for i := range s.Spec.VolumeClaimTemplates {
			claim := f.claims[w.Ref.Namespace][s.Spec.VolumeClaimTemplates[i].Name+"-"+m.Name]
			if claim != nil && ownedByPod(claim, m.Name) {
				w.warn(kube.Bad, fmt.Sprintf("%s is being deleted, and claim %s with it: both are made again, and the claim is empty", m.Name, words(claim.Name)))
			}
		}
	}
}

// deletion says whether the claim of a pod that is removed goes with it: the controller has the pod own it, unless another
// controller does (hasUnexpectedController), and the garbage collector spares what anybody else owns still.
func deletion(claim *corev1.PersistentVolumeClaim, s *appsv1.StatefulSet, pod string) (Fate, string) {
	for _, o := range claim.OwnerReferences {
		ours := o.Kind == "StatefulSet" && o.Name == s.Name && o.UID == s.UID || o.Kind == "Pod" && text.Clean(o.Name) == pod
		if !ours {
			return Kept, "owned by " + words(o.Kind+" "+o.Name) + " too"
		}
	}
	return Deleted, ""
}

func ownedByPod(claim *corev1.PersistentVolumeClaim, pod string) bool {
	return slices.ContainsFunc(claim.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Pod" && o.Name == pod })
}

// notRead is why it is not known what becomes of a claim.
const notRead = "not read"

func (w *Workload) unknownClaims(s *appsv1.StatefulSet, retain bool) {
	fate, pods := Made, w.Comes
	if w.down() {
		if fate, pods = Kept, w.Goes; w.Deletes && !retain {
			fate = Deleted
		}
	}
	for _, pod := range pods {
		for i := range s.Spec.VolumeClaimTemplates {
			c := planned(&s.Spec.VolumeClaimTemplates[i], pod)
			c.Fate, c.Why = fate, notRead
			w.Claims = append(w.Claims, c)
		}
	}
}

// planned is a claim that is made of a template.
func planned(template *corev1.PersistentVolumeClaim, pod string) Claim {
	size := template.Spec.Resources.Requests[corev1.ResourceStorage]
	return Claim{
		Name: text.Clean(template.Name + "-" + pod), Pod: pod, Fate: Made, Size: size.String(), Mode: mode(template.Spec.AccessModes),
	}
}

// claim is one that there is.
func (f *facts) claim(claim *corev1.PersistentVolumeClaim, pod string) Claim {
	size, ok := claim.Status.Capacity[corev1.ResourceStorage]
	if !ok {
		size = claim.Spec.Resources.Requests[corev1.ResourceStorage]
	}
	c := Claim{
		Name: text.Clean(claim.Name), UID: string(claim.UID), Pod: pod, Size: size.String(), Mode: mode(claim.Spec.AccessModes),
		Volume: words(claim.Spec.VolumeName), Phase: string(claim.Status.Phase), Created: claim.CreationTimestamp.Time,
	}
	if v := f.volumes[claim.Spec.VolumeName]; v != nil {
		c.Reclaim = string(v.Spec.PersistentVolumeReclaimPolicy)
	}
	return c
}

func mode(m []corev1.PersistentVolumeAccessMode) string {
	var out []string
	for _, one := range m {
		out = append(out, modes[one])
	}
	return strings.Join(out, ",")
}

// after says of a claim what there is of it in the end.
func (c *Claim) after() string {
	switch c.Fate {
	case Deleted:
		switch {
		case c.UID == "":
			return "claim deleted, disk not known"
		case c.Volume == "":
			return "claim deleted, has no data"
		case c.Reclaim == string(corev1.PersistentVolumeReclaimDelete):
			return "claim and disk deleted"
		case c.Reclaim == string(corev1.PersistentVolumeReclaimRetain):
			return "claim deleted, disk stays Released"
		}
		return "claim deleted, disk not known"
	case Made:
		if c.Why == notRead {
			return "new, or one with old data: not read"
		}
		if c.Why != "" {
			return "new, empty: " + c.Why
		}
		return "new, empty"
	case Reused:
		return "used again: old data"
	case Kept:
	}
	out := "stays"
	if c.Phase == string(corev1.ClaimPending) {
		out = "stays, Pending, has no data"
	}
	if c.Why != "" {
		out += ", " + c.Why
	}
	return out
}

// shared says why a Deployment or ReplicaSet cannot have several pods: a volume that one node, or one pod, has at a time.
func (f *facts) shared(t *target) string {
	for _, v := range t.template.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		claim := f.claims[t.ref.Namespace][v.PersistentVolumeClaim.ClaimName]
		if claim == nil || len(claim.Spec.AccessModes) == 0 {
			continue
		}
		only := func(m corev1.PersistentVolumeAccessMode) bool {
			return m == corev1.ReadWriteOnce || m == corev1.ReadWriteOncePod
		}
		if !slices.ContainsFunc(claim.Spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool { return !only(m) }) {
			where := "on one node at a time"
			if slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod) {
				where = "in one pod at a time"
			}
			return fmt.Sprintf("its volume %s is %s: it can be used %s", words(claim.Name), mode(claim.Spec.AccessModes), where)
		}
	}
	return ""
}

// leftOver counts the claims of a StatefulSet that no pod of it uses, neither before nor after.
func (w *Workload) leftOver(f *facts, s *appsv1.StatefulSet) {
	var names []string
	for name := range f.claims[w.Ref.Namespace] {
		n := claimOrdinal(s, name)
		after := n >= w.Start && n < w.Start+int(w.To)
		if n >= 0 && !after && !slices.ContainsFunc(w.Members, func(m Member) bool { return m.Ordinal == n }) {
			names = append(names, text.Clean(name))
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		w.warn(kube.Notice, fmt.Sprintf("%s left over from before: %s", one(len(names), "claim"), text.Some(names, 3)))
	}
}
