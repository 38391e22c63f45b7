package keymap

// What keys do in the panes that explain the others.
const (
	OpenEvents     ID = "events.open"
	EventWarnings  ID = "events.warnings"
	EventMark      ID = "events.mark"
	EventObject    ID = "events.object"
	EventFollow    ID = "events.follow"
	EventSingles   ID = "events.singles"
	NodeEvents     ID = "nodes.events"
	PodEvents      ID = "pods.events"
	WorkloadEvents ID = "workloads.events"

	OpenTop   ID = "top.open"
	TopLevel  ID = "top.level"
	TopTotals ID = "top.totals"
	TopObject ID = "top.object"
)

// looking are the keys of the Events and Top panes, and those that lead to them.
func looking() []Binding {
	b := func(id ID, s Scope, group, short, long string, keys ...string) Binding {
		return Binding{ID: id, Scope: s, Group: group, Short: short, Long: long, Keys: keys, Palette: true}
	}
	return []Binding{
		b(OpenEvents, Events, GroupMove, "open", "Show the events of the group under the cursor one by one, or the whole of the event.", "enter"),
		b(EventObject, Events, GroupMove, "object", "Go to the object that the event under the cursor is about.", "o"),
		b(EventSingles, Events, GroupSee, "one by one", "Show every event by itself, or in groups by their cause.", "e"),
		b(EventWarnings, Events, GroupSee, "warnings", "Show warnings only, or everything.", "w"),
		b(EventMark, Events, GroupSee, "mark start", "Show only what has been said from now on, or everything again.", "m"),
		b(EventFollow, Events, GroupSee, "hold", "Hold the events still, or follow them.", "f"),
		b(NodeEvents, Nodes, GroupMove, "events", "Show the events of the node under the cursor and of its pods.", "e"),
		b(PodEvents, Pods, GroupMove, "events", "Show the events of the pod under the cursor.", "e"),
		b(WorkloadEvents, Workloads, GroupMove, "events", "Show the events of the workload under the cursor and of its pods.", "e"),

		b(OpenTop, Top, GroupMove, "open", "Go into it: from a node, a namespace or a workload to its pods, from a pod to its containers.", "enter"),
		b(TopObject, Top, GroupMove, "object", "Go to the node, the pod or the workload under the cursor in its own pane.", "o"),
		b(TopLevel, Top, GroupSee, "nodes/pods", "Show nodes, pods, or containers.", "p"),
		b(TopTotals, Top, GroupSee, "totals", "Add up pods by namespace, by workload, or by node.", "t"),
	}
}
