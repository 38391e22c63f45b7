package kube

import (
	"maps"
	"slices"
	"strings"
)

// Owner names what pods, Jobs and autoscalers belong to. The zero Owner is nobody.
type Owner struct {
	Kind            Kinds
	Namespace, Name string
}

// kin holds, for every owner that has any, the rows that belong to it, in no order. Moments hold its map and its lists, so
// that none of them is ever written after the publication that made it: the first change of a publication copies the map,
// and the first to an owner copies that owner's list.
type kin[R Row] struct {
	of    map[Owner][]R
	moved map[Owner]struct{} // owners whose lists are other ones than at the last publication; nil for none
}

// replace puts a row of an owner in the place of another; the zero R stands for "none".
func (k *kin[R]) replace(owner Owner, from, to R) {
	var none R
	if owner == (Owner{}) || from == to {
		return
	}
	list := k.own(owner)
	i := len(list)
	if from != none {
		if at := slices.Index(list, from); at >= 0 {
			i = at
		}
	}
	switch {
	case to != none && i < len(list):
		list[i] = to
	case to != none:
		list = append(list, to)
	case i < len(list):
		last := len(list) - 1
		list[i], list[last] = list[last], none
		list = list[:last]
	}
	if len(list) == 0 {
		delete(k.of, owner)
		return
	}
	k.of[owner] = list
}

// own gives the list of an owner, to be written to.
func (k *kin[R]) own(owner Owner) []R {
	if k.moved == nil {
		k.of, k.moved = maps.Clone(k.of), map[Owner]struct{}{}
		if k.of == nil {
			k.of = map[Owner][]R{}
		}
	}
	list := k.of[owner]
	if _, ours := k.moved[owner]; !ours {
		k.moved[owner] = struct{}{}
		list = slices.Clone(list)
	}
	return list
}

// settle ends the changes of a publication, and gives the owners that they were about.
func (k *kin[R]) settle() map[Owner]struct{} {
	moved := k.moved
	k.moved = nil
	return moved
}

// hashAlphabet are the characters of a template hash (SafeEncodeString of k8s.io/apimachinery/pkg/util/rand).
const hashAlphabet = "bcdfghjklmnpqrstvwxz2456789"

// deploymentOf is the name of the Deployment that makes a ReplicaSet of that name: all but the template hash, which has ten
// characters at most; "" if the name has none.
func deploymentOf(replicaSet string) string {
	name, hash, ok := cutLast(replicaSet)
	if !ok || len(hash) > 10 || strings.Trim(hash, hashAlphabet) != "" {
		return ""
	}
	return name
}

// cronJobOf is the name of the CronJob that makes a Job of that name: all but the number of the minute at which it was due
// (getJobName of pkg/controller/cronjob/utils.go); "" if the name has none. Who makes a Job of a CronJob by hand names it
// as he likes.
func cronJobOf(job string) string {
	name, minute, ok := cutLast(job)
	if !ok || strings.Trim(minute, "0123456789") != "" {
		return ""
	}
	return name
}

// cutLast cuts a name at its last dash; both parts have something in them.
func cutLast(name string) (before, after string, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || i == len(name)-1 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// Owners are the workloads that a pod belongs to: the one that made it, and the one that made that, as far as its name
// tells. Either may be the zero Owner.
func (p *Pod) Owners() [2]Owner {
	maker := Owner{KindNamed(p.OwnerKind), p.Namespace, p.OwnerName}
	switch maker.Kind {
	case ReplicaSets, Jobs:
		return [2]Owner{maker, maker.Above()}
	case StatefulSets, DaemonSets:
		return [2]Owner{maker}
	default:
		return [2]Owner{}
	}
}

// Above is the workload that makes this one, as far as its name tells: the Deployment of a ReplicaSet, the CronJob of a Job; the zero
// Owner of anything else.
func (o Owner) Above() Owner {
	switch o.Kind {
	case ReplicaSets:
		return above(Deployments, o.Namespace, deploymentOf(o.Name))
	case Jobs:
		return above(CronJobs, o.Namespace, cronJobOf(o.Name))
	default:
		return Owner{}
	}
}

func above(kind Kinds, namespace, name string) Owner {
	if name == "" {
		return Owner{}
	}
	return Owner{kind, namespace, name}
}

// ails reports whether the pod may be a reason for which its workload is not well: it is not ready, or about to go, or has
// failed.
func (p *Pod) ails() bool {
	return p != nil && !p.Completed() && (p.Deleting() || p.Terminal() || p.Phase != "Running" || p.notReady())
}

// ailingMoved keeps which pods of each workload are not well.
func (c *Cluster) ailingMoved(from, to *Pod) {
	if !from.ails() {
		from = nil
	}
	if !to.ails() {
		to = nil
	}
	if from == nil && to == nil {
		return
	}
	if from != nil && to != nil && (from.OwnerName != to.OwnerName || from.OwnerKind != to.OwnerKind) { // adopted, or set free
		c.ailingMoved(from, nil)
		from = nil
	}
	of := to
	if of == nil {
		of = from
	}
	for _, owner := range of.Owners() {
		c.ailing.replace(owner, from, to)
	}
}

// workloadMoved keeps where the rows of workloads are, the Jobs of each CronJob and the ReplicaSets of each Deployment, and what scales what.
func (c *Cluster) workloadMoved(from, to *Workload) {
	if from == nil || to == nil || from.OwnerName != to.OwnerName {
		c.users.totals.stale = true
	}
	if from != nil && c.workloadUID[from.identity()] == from.UID { // another may have taken the name
		delete(c.workloadUID, from.identity())
	}
	if to != nil {
		c.workloadUID[to.identity()] = to.UID
	}
	move(&c.runs, from, to, (*Workload).runOf)
	move(&c.scalers, from, to, (*Workload).scales)
}

// move replaces a row among those of its owner.
func move[R Row](k *kin[R], from, to R, owner func(R) Owner) {
	var none R
	was, is := owner(from), owner(to)
	if was == is {
		k.replace(is, from, to)
		return
	}
	k.replace(was, from, none)
	k.replace(is, none, to)
}
