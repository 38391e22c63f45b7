package views

import (
	"strings"
	"testing"

	"ktriage/keymap"
	"ktriage/kube"
)

// The rows of the fixtures in each order, and turned round. Equal rows stand by their names either way.
func TestNodesInEveryOrder(t *testing.T) {
	v, f := nodesPane()
	equal(t, f.shown(), "worker-07 gpu-03 worker-02 worker-03 worker-01 worker-04")
	press(v, "nodes.sort.name") // away from the default, so that each order is met for the first time
	for _, c := range []struct{ id, title, first, reversed string }{
		{"health", "health", "worker-07 gpu-03 worker-02 worker-03 worker-01 worker-04", "worker-01 worker-04 worker-03 worker-02 gpu-03 worker-07"},
		{"name", "name", "gpu-03 worker-01 worker-02 worker-03 worker-04 worker-07", "worker-07 worker-04 worker-03 worker-02 worker-01 gpu-03"},
		{"status", "status", "gpu-03 worker-07 worker-01 worker-02 worker-04 worker-03", "worker-03 worker-01 worker-02 worker-04 gpu-03 worker-07"},
		{"for", "for", "worker-07 gpu-03 worker-02 worker-03 worker-01 worker-04", "worker-01 worker-04 worker-03 worker-02 gpu-03 worker-07"},
		{"conditions", "conditions", "worker-07 worker-02 gpu-03 worker-01 worker-03 worker-04", "worker-01 worker-03 worker-04 gpu-03 worker-02 worker-07"},
		{"pods", "pods", "worker-02 worker-01 worker-07 gpu-03 worker-03 worker-04", "gpu-03 worker-03 worker-04 worker-07 worker-01 worker-02"},
		{"cpu", "cpu", "worker-01 worker-02 gpu-03 worker-03 worker-04 worker-07", "gpu-03 worker-03 worker-04 worker-07 worker-02 worker-01"},
		{"cpu-requests", "cpu requests", "worker-02 worker-01 worker-07 gpu-03 worker-03 worker-04", "gpu-03 worker-03 worker-04 worker-07 worker-01 worker-02"},
		{"memory", "memory", "worker-02 worker-01 gpu-03 worker-03 worker-04 worker-07", "gpu-03 worker-03 worker-04 worker-07 worker-01 worker-02"},
		{"memory-requests", "memory requests", "worker-01 worker-02 worker-07 gpu-03 worker-03 worker-04", "gpu-03 worker-03 worker-04 worker-07 worker-02 worker-01"},
		{"age", "age", "gpu-03 worker-03 worker-02 worker-07 worker-01 worker-04", "worker-01 worker-04 worker-07 worker-02 worker-03 gpu-03"},
	} {
		checkOrder(t, v, f, keymap.ID("nodes.sort."+c.id), c.title, c.first, c.reversed)
	}
}

func TestPodsInEveryOrder(t *testing.T) {
	v, f := podsPane()
	full := func(f *feed[*kube.Pod]) string {
		var names []string
		for i := range f.snap.Len() {
			names = append(names, f.snap.Row(i).Ref().FullName())
		}
		return strings.Join(names, " ")
	}
	equal(t, full(f), "shop/checkout search/indexer shop/cart-2 payments/web-a shop/web-a shop/web-b")
	press(v, "pods.sort.name")
	for _, c := range []struct{ id, first, reversed string }{
		{"badness", "checkout indexer cart-2 web-a web-a web-b", "web-a web-a web-b cart-2 indexer checkout"},
		{"name", "web-a indexer cart-2 checkout web-a web-b", "web-b web-a checkout cart-2 indexer web-a"},
		{"ready", "indexer checkout web-a cart-2 web-a web-b", "web-a cart-2 web-a web-b indexer checkout"},
		{"status", "checkout indexer web-a cart-2 web-a web-b", "web-a cart-2 web-a web-b indexer checkout"},
		{"restarts", "checkout web-a indexer cart-2 web-a web-b", "web-a indexer cart-2 web-a web-b checkout"},
		{"age", "indexer checkout web-a web-b web-a cart-2", "cart-2 web-a web-a web-b checkout indexer"},
		{"node", "indexer web-a web-b web-a checkout cart-2", "cart-2 web-a checkout web-a web-b indexer"},
		{"cpu", "web-b web-a web-a indexer cart-2 checkout", "web-a indexer cart-2 checkout web-a web-b"},
		{"memory", "web-a web-b web-a indexer cart-2 checkout", "web-a indexer cart-2 checkout web-b web-a"},
	} {
		checkOrder(t, v, f, keymap.ID("pods.sort."+c.id), c.id, c.first, c.reversed)
	}
}

// checkOrder presses the key of an order twice.
func checkOrder[R judged](t *testing.T, v View, f *feed[R], id keymap.ID, title, first, reversed string) {
	t.Helper()
	if _, column, _ := strings.Cut(string(id), ".sort."); column == "name" {
		press(v, keymap.ID(strings.TrimSuffix(string(id), "name")+"age"))
	}
	for _, want := range []struct{ title, rows string }{{title + " · ", first}, {title + " reversed · ", reversed}} {
		press(v, id)
		f.publish(v)
		if f.shown() != want.rows {
			t.Errorf("%s: %s, want %s", want.title, f.shown(), want.rows)
		}
		if head, _, _ := strings.Cut(plainText(drawn(v, Size{120, 9}, frame())), "\n"); !strings.Contains(head, " "+want.title) {
			t.Errorf("the rule is %q, want %q in it", head, want.title)
		}
	}
}

func TestEverySortKeyOfTheKeyTableSorts(t *testing.T) {
	for scope, orders := range map[keymap.Scope][]string{keymap.Nodes: orderIDs(nodeOrders()), keymap.Pods: orderIDs(podOrders())} {
		left := strings.Join(orders, " ") + " "
		for _, b := range keymap.Default().Bindings(scope) {
			column, sorts := b.ID.SortColumn()
			if !sorts {
				continue
			}
			if !strings.Contains(" "+left, " "+column+" ") {
				t.Errorf("%s: there is no order %q among %v", b.ID, column, orders)
			}
			left = strings.Replace(" "+left, " "+column+" ", " ", 1)[1:]
		}
		if strings.TrimSpace(left) != "" {
			t.Errorf("no key in %s sorts by %s", scope, left)
		}
	}
}

func orderIDs[R kube.Row](orders []order[R]) []string {
	var ids []string
	for _, o := range orders {
		ids = append(ids, o.id)
	}
	return ids
}

func TestTheArrowStandsInTheColumnThatIsSorted(t *testing.T) {
	v, f := podsPane()
	for _, c := range []struct {
		id   keymap.ID
		want string
	}{
		{"pods.sort.restarts", "RESTARTS↓"}, {"pods.sort.restarts", "RESTARTS↑"}, {"pods.sort.name", "NAMESPACE/NAME↑"},
		{"pods.sort.name", "NAMESPACE/NAME↓"}, {"pods.sort.cpu", "CPU u/r↓"},
	} {
		press(v, c.id)
		f.publish(v)
		header := strings.Split(plainText(drawn(v, Size{160, 9}, frame())), "\n")[1]
		if !strings.Contains(header, c.want) || strings.Count(header, "↓")+strings.Count(header, "↑") != 1 {
			t.Errorf("%s: the header is %q, want %q and no other arrow", c.id, header, c.want)
		}
	}
	press(v, "pods.sort.badness")
	f.publish(v)
	if header := strings.Split(plainText(drawn(v, Size{160, 9}, frame())), "\n")[1]; strings.ContainsAny(header, "↓↑") {
		t.Errorf("badness has no column, but the header is %q", header)
	}
}
