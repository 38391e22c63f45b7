package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
)

const (
	// planWidth is the widest line of a plan that is printed.
	planWidth = 100
	// loadsLimit is how long a plan waits for what the pods of other nodes take, unless --request-timeout says otherwise.
	loadsLimit = 30 * time.Second
	// mostGrace is the longest grace period, in seconds: longer ones overflow somewhere on their way.
	mostGrace = 365 * 24 * 60 * 60
	// noPlan is the exit code of a plan that could not be confirmed as it is.
	noPlan = 1
)

// drainFlags are those of kubectl drain that mean the same here, and --plan.
type drainFlags struct {
	plan            bool
	emptyDir, force bool
	grace           int // seconds, -1 for each pod's own
	dryRun          choice
	output          choice
}

// drainCommand prints what a drain would do. It never drains: that needs somebody who watches.
func (p *program) drainCommand(o *options) *cobra.Command {
	f := &drainFlags{dryRun: newChoice("none", "server"), output: newChoice("table", "json")}
	cmd := &cobra.Command{
		Use: "drain NODE... --plan", GroupID: groupCommands, DisableFlagsInUseLine: true,
		Short: "Print what a drain would do, and do nothing",
		Long: `Print what a drain of nodes would do to each of their pods, and what remains.
Nothing is changed: drains run on the screen, where r on a node begins with the
same plan.

It exits with 0 if the plan could be confirmed, with 1 if pods need an option
first or the cluster cannot be read, and with 2 if a flag is wrong.`,
		Example: `  ktriage drain worker-12 --plan
  ktriage drain worker-12 --plan --delete-emptydir-data --force
  ktriage drain worker-12 --plan --dry-run=server
  ktriage drain worker-12 worker-13 --plan -o json`,
		Args: drainArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return p.drain(cmd, o, f, args) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.plan, "plan", false, "print the plan; nothing else can be done here")
	flags.BoolVar(&f.emptyDir, "delete-emptydir-data", false, "evict pods whose emptyDir data is lost")
	flags.Bool("ignore-daemonsets", true, "accepted for those who are used to it: pods of DaemonSets always stay")
	_ = flags.MarkHidden("ignore-daemonsets")
	flags.BoolVar(&f.force, "force", false, "evict pods that nobody makes again")
	flags.IntVar(&f.grace, "grace-period", -1, "`seconds` that pods get, 1 or more; -1 is each pod's own")
	flags.Var(&f.dryRun, "dry-run", "server asks the server too: "+strings.Join(f.dryRun.allowed, ", "))
	flags.VarP(&f.output, "output", "o", "format: "+strings.Join(f.output.allowed, ", "))
	return cmd
}

func drainArgs(_ *cobra.Command, args []string) error {
	if strings.TrimSpace(strings.Join(args, "")) == "" {
		return usage("Use ktriage drain NODE --plan; ktriage snapshot nodes lists them.", "ktriage drain needs the name of a node.")
	}
	return nil
}

// options reads the flags as the toggles of the sheet.
func (f *drainFlags) options() (action.Options, error) {
	if !f.plan {
		return nil, usage("Press r on the node on the screen, or add --plan to print what would happen.",
			"Drains run on the screen, where they can be watched and stopped.")
	}
	o := action.Options{drain.OptionEmptyDir: box(f.emptyDir), drain.OptionUnowned: box(f.force), drain.OptionDryRun: box(f.dryRun.value == "server")}
	switch {
	case f.grace == 0:
		return nil, usage("Use 1 or more, or leave it out for each pod's own.",
			"--grace-period 0 would kill pods without asking them to stop.")
	case f.grace > mostGrace:
		return nil, usage("Use a number of seconds that somebody will wait for.", "--grace-period %d is more than a year.", f.grace)
	case f.grace < -1:
		return nil, usage("Use 1 or more, or leave it out for each pod's own.", "--grace-period cannot be %d.", f.grace)
	case f.grace > 0:
		o[drain.OptionGrace] = strconv.Itoa(f.grace) + "s"
	}
	return o, nil
}

func box(on bool) string {
	if on {
		return action.On
	}
	return action.Off
}

func (p *program) drain(cmd *cobra.Command, o *options, f *drainFlags, names []string) error {
	chosen, err := f.options()
	if err != nil {
		return err
	}
	limit, err := timeout(*o.kube.Timeout)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	cluster, err := p.connect(o, p.openLog(o))
	if err != nil {
		return err
	}
	cluster.Start(ctx, kube.Nodes|kube.Pods)
	if limit == 0 {
		limit = loadsLimit
	}
	awaitLoads(ctx, cluster, limit)
	target := action.Target{Context: cluster.Context()}
	for i, name := range names {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names[:i], name) {
			target.Refs = append(target.Refs, kube.Ref{Kind: kube.Nodes, Name: name})
		}
	}
	var plan *drain.Plan
	kind := drain.New(func(made *drain.Plan) action.Work {
		plan = made
		return nil
	})
	sheet, err := kind.Plan(ctx, cluster, target, chosen)
	if err != nil {
		return err
	}
	runner := action.New(ctx, cluster, []action.Kind{kind}, nil, action.Settings{Protected: o.guards(cluster.Context(), p.getenv)})
	sheet.Tier = runner.Tier(sheet)
	for i := range sheet.Kubectl {
		sheet.Kubectl[i] = runner.As(sheet.Kubectl[i])
	}
	if f.output.value == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		err = enc.Encode(plan)
	} else {
		err = printPlan(cmd.OutOrStdout(), sheet, planWidth, o.utf8(cmd, p.getenv))
	}
	if err != nil {
		return fmt.Errorf("print the plan: %w", err)
	}
	if err := refused(sheet, plan); err != nil {
		return err
	}
	return forbidden(ctx, cluster, runner)
}

// forbidden says so when whoever asks may not do what has been planned. That the server does not tell is no reason to complain.
func forbidden(ctx context.Context, c *kube.Cluster, r *action.Runner) error {
	_ = c.Probe(ctx) // it tells whom the server takes us for; without it the kubeconfig's name for us is said
	_ = r.AskAccess(ctx)
	if why := r.WhyNot(action.Drain, time.Local); why != "" {
		return &complaint{sentence: "This drain would be refused: " + why + ".", code: noPlan}
	}
	return nil
}

// refused says why a plan could not be confirmed, and with which flags it could.
func refused(sheet *action.Plan, plan *drain.Plan) error {
	if len(sheet.Refusals) == 0 {
		return nil
	}
	var why, flags []string
	for _, r := range sheet.Refusals {
		reason, _, _ := strings.Cut(r, ":") // what follows is for the screen
		why = append(why, reason)
	}
	for _, n := range plan.Nodes {
		for _, pod := range n.Pods {
			if pod.Fate != drain.Needs {
				continue
			}
			if len(pod.Lost) > 0 && !plan.Settings.EmptyDir {
				flags = append(flags, "--delete-emptydir-data")
			}
			if pod.Unowned && !plan.Settings.Unowned {
				flags = append(flags, "--force")
			}
		}
	}
	slices.Sort(flags)
	return &complaint{
		sentence: "This drain would be refused: " + strings.Join(why, "; ") + ".",
		next:     "The plan with them: " + strings.Join(slices.Compact(flags), " ") + ".", code: noPlan,
	}
}

// awaitLoads waits until it is known what the pods of all nodes take, or until it is clear that it will not be.
func awaitLoads(ctx context.Context, c *kube.Cluster, limit time.Duration) {
	enough := time.NewTimer(limit)
	defer enough.Stop()
	feed := c.NodeFeed() // for whom news are told
	defer feed.Close()
	feed.SetQuery(kube.Query[*kube.Node]{Tie: func(a, b *kube.Node) int { return strings.Compare(a.Name, b.Name) }})
	for {
		m, h := c.Moment(), c.Health()
		if m.Loads != nil || m.RowsRead || !h.Up && h.Tries > 1 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-enough.C:
			return
		case <-c.Notifier().Wake():
			c.Notifier().Take()
		}
	}
}

// printer writes plain lines of a width.
type printer struct {
	out   strings.Builder
	width int
}

// printPlan writes the sheet of a plan as plain text, without colours, in lines of at most width cells.
func printPlan(w io.Writer, p *action.Plan, width int, utf8 bool) error {
	out := &printer{width: width}
	out.wrap("", p.Headline)
	for _, f := range p.Facts {
		out.wrap(fmt.Sprintf("%-7s", f.Name)+mark(f.Severity), f.Text)
	}
	for _, s := range p.Sections {
		out.section(s)
	}
	out.title("options", "")
	for _, t := range p.Toggles {
		out.wrap("", toggleText(t))
	}
	out.title("the same with kubectl", "it evicts all at once")
	for _, k := range p.Kubectl {
		out.wrap("$ ", k)
	}
	out.title("to confirm", "")
	out.wrap("", p.Gate+", "+gestures[p.Tier])
	for _, r := range p.Refusals {
		out.wrap(mark(kube.Bad), r)
	}
	printed := out.out.String()
	if !utf8 {
		printed = text.ASCII(printed)
	}
	_, err := io.WriteString(w, printed)
	return err
}

// gestures are how plans are confirmed on the screen.
var gestures = map[action.Tier]string{
	action.Look: "nothing to confirm", action.Ask: "with y", action.Read: "with y, read to its end", action.Write: "with its name, typed",
}

func toggleText(t action.Toggle) string {
	switch t.Value {
	case action.On:
		return "[x] " + t.Words
	case action.Off:
		return "[ ] " + t.Words
	}
	return "    " + t.Words + ": " + t.Value
}

// mark tells severities apart without colour.
func mark(s kube.Severity) string {
	switch s {
	case kube.Bad:
		return "■ "
	case kube.Warning:
		return "▲ "
	default:
		return ""
	}
}

// title writes a rule with its words.
func (p *printer) title(title, note string) {
	if note != "" {
		title += " (" + note + ")"
	}
	p.out.WriteString("\n")
	p.wrap("-- ", title)
}

// wrap writes a text with hanging lines behind its prefix.
func (p *printer) wrap(prefix, s string) {
	indent := text.Width(prefix)
	for i, l := range text.Wrap(s, p.width-indent) {
		if i > 0 {
			prefix = strings.Repeat(" ", indent)
		}
		p.out.WriteString(strings.TrimRight(prefix+l, " ") + "\n")
	}
}

func (p *printer) section(s action.Section) {
	p.title(s.Title, s.Note)
	if len(s.Columns) == 0 {
		for _, r := range s.Rows {
			body := strings.TrimLeft(r.Cells[0], " ")
			p.wrap(strings.Repeat(" ", len(r.Cells[0])-len(body))+mark(r.Severity), body)
		}
		return
	}
	p.table(s)
}

// widest is how wide a column but the last may be.
const widest = 46

// noteRoom is what the last column has at least: columns for wide screens go before it does, and the first is cut.
const noteRoom = 24

// table writes columns. The last is wrapped; the others are cut in the middle where they are too wide.
func (p *printer) table(s action.Section) {
	widths, used := columnWidths(s), 0
	last := len(s.Columns) - 1
	for _, w := range widths[:last] {
		used += w + 2
	}
	for i := last - 1; i >= 0; i-- {
		if p.width-used-2 < noteRoom && s.Columns[i].Wide {
			used -= widths[i] + 2
			widths[i] = 0
		}
	}
	if lacking := noteRoom - (p.width - used - 2); lacking > 0 {
		widths[0] = max(1, widths[0]-lacking)
	}
	titles := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		titles[i] = c.Title
	}
	p.row("  ", titles, s.Columns, widths)
	for _, r := range s.Rows {
		lead := "  "
		if m := mark(r.Severity); m != "" {
			lead = m
		}
		p.row(lead, r.Cells, s.Columns, widths)
	}
}

func columnWidths(s action.Section) []int {
	out := make([]int, len(s.Columns))
	for i, c := range s.Columns {
		out[i] = text.Width(c.Title)
		for _, r := range s.Rows {
			out[i] = max(out[i], min(widest, text.Width(r.Cells[i])))
		}
	}
	return out
}

func (p *printer) row(lead string, cells []string, columns []action.Column, widths []int) {
	var b strings.Builder
	b.WriteString(lead)
	last := len(cells) - 1
	for i, cell := range cells[:last] {
		if widths[i] > 0 {
			text.AppendPadded(&b, text.CutMiddle(cell, widths[i], "..."), widths[i], columns[i].Right)
			b.WriteString("  ")
		}
	}
	if cells[last] == "" {
		p.out.WriteString(strings.TrimRight(b.String(), " ") + "\n")
		return
	}
	p.wrap(b.String(), cells[last])
}
