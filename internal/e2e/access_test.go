package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// user makes a service account with rights, and a kubeconfig for it whose context's namespace is given. rights are
// arguments of `kubectl create role`; none for no rights at all.
func (c *cluster) user(t *testing.T, name, namespace string, rights ...string) string {
	t.Helper()
	c.kubectl(t, "create", "serviceaccount", name, "-n", namespace)
	t.Cleanup(func() { c.kubectl(t, "delete", "serviceaccount", name, "-n", namespace) })
	if len(rights) > 0 {
		c.kubectl(t, append([]string{"create", "role", name, "-n", namespace}, rights...)...)
		c.kubectl(t, "create", "rolebinding", name, "-n", namespace, "--role="+name, "--serviceaccount="+namespace+":"+name)
		t.Cleanup(func() { c.kubectl(t, "delete", "role,rolebinding", name, "-n", namespace) })
		for _, verb := range flagValues(rights, "--verb=") {
			for _, resource := range flagValues(rights, "--resource=") {
				c.may(t, "system:serviceaccount:"+namespace+":"+name, verb, resource, "-n", namespace)
			}
		}
	}
	token := strings.TrimSpace(c.kubectl(t, "create", "token", name, "-n", namespace))
	return c.configFor(t, token, namespace)
}

// flagValues gives the values of a flag that has several.
func flagValues(args []string, flag string) []string {
	for _, a := range args {
		if values, ok := strings.CutPrefix(a, flag); ok {
			return strings.Split(values, ",")
		}
	}
	return nil
}

// may waits until a user has a right that was given to him: the API server reads roles a little later.
func (c *cluster) may(t *testing.T, user string, right ...string) {
	t.Helper()
	await(t, user+" may "+strings.Join(right, " "), soon, func() bool {
		_, err := c.devcluster(append([]string{"kubectl", "auth", "can-i", "--as=" + user}, right...)...)
		return err == nil
	})
}

// configFor makes a kubeconfig with a token in place of the administrator's certificate.
func (c *cluster) configFor(t *testing.T, token, namespace string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	raw, err := os.ReadFile(c.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(args ...string) { c.kubectl(t, append([]string{"config", "--kubeconfig", path}, args...)...) }
	config("set-credentials", "limited", "--token="+token)
	config("set-context", "--current", "--user=limited", "--namespace="+namespace)
	return path
}

func TestUserOfOneNamespaceStartsAndWorksThere(t *testing.T) {
	config := incident.user(t, "limited", "shop", "--verb=get,list,watch", "--resource=pods")
	s := open(t, config, 120, 40, "pods")
	s.Shows("shop (all you may list)")
	s.Shows("You may list pods in shop only")
	s.Shows("may only read")
	s.Await("only the rows of shop", func(screen string) bool {
		return strings.Contains(screen, "shop/") && !regexp.MustCompile(`(lab|kube-system|data)/`).MatchString(screen)
	})
	s.Press("1")
	s.Shows("You may not list nodes")
	s.Press("q")
	s.End(0)
	s.clean(s.Written())

	r := ktriage(t, config, "snapshot", "pods")
	if r.code != 0 || !strings.Contains(r.err, "Only namespace shop is looked at") || strings.Contains(r.out, "kube-system") ||
		!strings.Contains(r.out, "shop ") {
		t.Errorf("snapshot pods: %+v", r)
	}
	r = ktriage(t, config, "snapshot", "nodes")
	if r.code != 1 || r.out != "" || !strings.Contains(r.err, "nodes is forbidden") {
		t.Errorf("snapshot nodes: %+v", r)
	}
}

func TestRightsThatComeLaterAreTakenUp(t *testing.T) {
	config := incident.user(t, "promoted", "shop", "--verb=get,list,watch", "--resource=pods")
	s := open(t, config, 120, 40, "pods")
	s.Shows("shop (all you may list)")
	incident.kubectl(t, "create", "clusterrolebinding", "promoted", "--clusterrole=cluster-admin", "--serviceaccount=shop:promoted")
	t.Cleanup(func() { incident.kubectl(t, "delete", "clusterrolebinding", "promoted") })
	s.Await("all ns", func(screen string) bool {
		if strings.Contains(screen, "all ns") {
			return true
		}
		s.Press("\x12") // ctrl+r; the server may not have read the binding yet
		return false
	})
	s.Press("/kube-system\r")
	s.Shows("kube-system/")
	s.Shows("read-write")
	s.Press("q")
	s.End(0)
}

func TestUserWithoutAnyRightSeesASentence(t *testing.T) {
	config := incident.user(t, "nobody", "shop")
	s := open(t, config, 120, 40, "pods")
	s.Shows("You may not list pods")
	s.Press("q")
	s.End(0)
	if r := ktriage(t, config, "snapshot", "pods"); r.code != 1 || r.out != "" || !strings.Contains(r.err, "pods is forbidden") {
		t.Errorf("snapshot pods: %+v", r)
	}
}

func TestBadInputEndsInOneSentenceWithTheNextStep(t *testing.T) {
	bad := incident.configFor(t, "no-such-token", "default")
	lost := filepath.Join(t.TempDir(), "config")
	raw, err := os.ReadFile(incident.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`(server: https://[^:]+):\d+`)
	if err := os.WriteFile(lost, port.ReplaceAll(raw, []byte("$1:1")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, config string
		args         []string
		code         int
		says         string
	}{
		{"token that is refused", bad, []string{"snapshot", "pods"}, 3, "401"},
		{"namespace that is not there", incident.kubeconfig(), []string{"snapshot", "pods", "-n", "no-such"}, 2, `no namespace "no-such"`},
		{"context that is not there", incident.kubeconfig(), []string{"snapshot", "pods", "--context", "no-such"}, 2, "no-such"},
		{"server that refuses", lost, []string{"snapshot", "pods"}, 1, "refuses connections"},
		{"no terminal", incident.kubeconfig(), []string{"pods"}, 2, "needs a terminal"},
		{"pane that is not there", incident.kubeconfig(), []string{"snapshot", "cheese"}, 2, "no pane"},
		{"filter that cannot be read", incident.kubeconfig(), []string{"snapshot", "pods", `"open`}, 2, "filter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ktriage(t, c.config, c.args...)
			if r.code != c.code || r.out != "" || !strings.Contains(r.err, c.says) {
				t.Errorf("exit code %d, want %d; standard output %q; standard error %q", r.code, c.code, r.out, r.err)
			}
			most := 2
			if strings.Contains(r.err, "^^") {
				most = 4 // what was typed, and what is wrong with it
			}
			if n := 1 + strings.Count(strings.TrimSpace(r.err), "\n"); n > most {
				t.Errorf("%d lines of error:\n%s", n, r.err)
			}
		})
	}
}

func TestScreenEndsWhereTheServerSaysNoAtTheStart(t *testing.T) {
	s := open(t, incident.configFor(t, "no-such-token", "default"), 80, 24)
	s.End(3)
	if !strings.Contains(s.Screen(), "does not accept our credentials (401") {
		t.Errorf("the shell shows:\n%s", s.Screen())
	}
	s = open(t, incident.kubeconfig(), 80, 24, "-n", "no-such")
	s.End(2)
	if !strings.Contains(s.Screen(), `There is no namespace "no-such"`) {
		t.Errorf("the shell shows:\n%s", s.Screen())
	}
}
