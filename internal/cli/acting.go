package cli

import (
	"context"
	"os"
	"path"
	"strings"
	"time"

	"ktriage/internal/audit"
	"ktriage/internal/logs"
	"ktriage/internal/xdg"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/certs"
	"ktriage/kube/cordon"
	"ktriage/kube/csr"
	"ktriage/kube/deadnode"
	"ktriage/kube/drain"
	"ktriage/kube/evict"
	"ktriage/kube/remove"
	"ktriage/kube/renew"
	"ktriage/kube/rollout"
	"ktriage/kube/scale"
)

// protectedEnv names contexts in which everything is harder to confirm, beside those of --protected.
const protectedEnv = "KTRIAGE_PROTECTED"

// kinds are all actions that there are. Certificates are renewed that the inventory has found.
func kinds(i *certs.Inventory) []action.Kind {
	return []action.Kind{
		cordon.New(true), cordon.New(false),
		drain.New(func(p *drain.Plan) action.Work { return evict.New(p, cordon.Set, drain.Read) }),
		deadnode.NewDelete(), deadnode.NewTaint(true), deadnode.NewTaint(false),
		remove.NewDelete(), remove.NewForce(), remove.NewFinalizers(),
		scale.New(), scale.NewRetain(),
		rollout.NewRestart(), rollout.NewRollBack(), rollout.NewPause(true), rollout.NewPause(false),
		csr.New(true), csr.New(false), renew.New(i),
	}
}

// closeLimit is how long the end of the program waits until what runs has been stopped and written down.
const closeLimit = 2 * time.Second

// runner makes the engine of actions, with the audit log that it needs. Without that log it still makes plans, and says
// why none of them can be confirmed. The function ends what runs.
func (p *program) runner(ctx context.Context, o *options, c *kube.Cluster, i *certs.Inventory, log *logs.Log) (*action.Runner, func()) {
	s := action.Settings{
		ReadOnly: o.readOnly, Protected: o.guards(c.Context(), p.getenv), Log: log.Logger,
	}
	book, err := p.openAudit()
	if err != nil {
		s.AuditFailed = err
		log.Warn("no audit log", "err", err)
	}
	r := action.New(ctx, c, kinds(i), book, s)
	return r, func() {
		if !r.Close(closeLimit) {
			log.Error("a run did not end in time; the next start will find it")
		}
		if book != nil {
			_ = book.Close() // every line is on the disk already
		}
	}
}

func (p *program) openAudit() (*audit.Log, error) {
	dir, err := xdg.StateDir(p.getenv)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return audit.Open(dir, host, built().short())
}

// guards reports whether a context is a protected one, by a pattern of --protected or of $KTRIAGE_PROTECTED.
func (o *options) guards(context string, getenv func(string) string) bool {
	for _, pattern := range append(strings.Split(getenv(protectedEnv), ","), o.protected...) {
		if matches(strings.TrimSpace(pattern), context) {
			return true
		}
	}
	return false
}

// matches reports whether a context is meant by a pattern. Contexts are no paths, though many have slashes in their names
// (arn:aws:eks:eu-west-1:1234:cluster/prod): * stands for those too.
func matches(pattern, context string) bool {
	flat := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	ok, err := path.Match(flat(pattern), flat(context))
	return pattern != "" && (ok && err == nil || pattern == context)
}

// checkPatterns refuses patterns that match nothing because they are not well formed: they would protect nothing.
func (o *options) checkPatterns(getenv func(string) string) error {
	for _, pattern := range append(strings.Split(getenv(protectedEnv), ","), o.protected...) {
		if _, err := path.Match(pattern, ""); err != nil {
			return usage("Use * for any text and ? for one character, such as 'prod-*'.", "The pattern %q of a protected context cannot be read.", pattern)
		}
	}
	return nil
}
