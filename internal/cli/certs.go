package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/certs"
	"ktriage/views"
)

// certsName is the word for certificates. As a command it prints them; the pane of that name is opened with --pane, so that
// no script ever finds itself in front of a screen.
const certsName = "certs"

// The exit codes of ktriage certs are those of monitoring plugins
// (https://www.monitoring-plugins.org/doc/guidelines.html#AEN78).
const (
	certsWell = iota
	certsWarning
	certsCritical
	certsUnknown
)

// certsFlags are those of ktriage certs alone.
type certsFlags struct {
	output         choice
	warn, critical days
	kubeadm        bool
}

// certsCommand prints every certificate that can be seen from here.
func (p *program) certsCommand(o *options) *cobra.Command {
	limits := kube.DefaultCertLimits()
	f := &certsFlags{output: newChoice("table", "json", "prometheus"), warn: days(limits.Warn), critical: days(limits.Critical)}
	cmd := &cobra.Command{
		Use: certsName + " [FILTER...]", Aliases: []string{"cert", "certificates"}, GroupID: groupCommands, DisableFlagsInUseLine: true,
		Short: "Print every certificate, soonest to expire first",
		Long: `Print every certificate and credential with an expiry that can be seen from
here, soonest first, and name the places that cannot be seen. The screen shows
the same with ktriage --pane certs.

It exits as monitoring plugins do: 0 all is well, 1 something is a warning, 2
something is critical or has expired, 3 unknown: a flag is wrong, the API server
does not answer, or nothing could be read. It takes 30s at most, or what
--request-timeout says.`,
		Example: `  ktriage certs
  ktriage certs apiserver '!etcd'
  ktriage certs --warn 45d --critical 2w -o json
  ktriage certs -o prometheus > certs.prom.$$ && mv certs.prom.$$ certs.prom
  sudo ktriage certs --kubeadm --kubeconfig /etc/kubernetes/admin.conf`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return unknown(p.certs(cmd, o, f, strings.Join(args, " ")))
		},
	}
	flags := cmd.Flags()
	flags.VarP(&f.output, "output", "o", "format: "+strings.Join(f.output.allowed, ", "))
	flags.Var(&f.warn, "warn", "a warning from `time` before the end, where renewed by hand")
	flags.Var(&f.critical, "critical", "critical from `time` before the end")
	flags.BoolVar(&f.kubeadm, "kubeadm", false, "the table of kubeadm certs check-expiration, and no more")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return unknown(flagError(cmd, err)) })
	return cmd
}

// unknown gives an error the exit code of a state that nobody knows. The exit codes of states are no errors.
func unknown(err error) error {
	var state certsState
	if err == nil || errors.As(err, &state) {
		return err
	}
	if ours, ok := errors.AsType[*complaint](err); ok {
		return &complaint{sentence: ours.sentence, next: ours.next, code: certsUnknown}
	}
	e := kube.Explain(err)
	return &complaint{sentence: e.Sentence, next: e.Next, code: certsUnknown}
}

// certsState ends the program with an exit code, after all has been said.
type certsState int

func (s certsState) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

// check refuses flags that contradict each other.
func (f *certsFlags) check(words string) error {
	switch {
	case f.warn < f.critical:
		return usage("Let --warn be the longer time, such as --warn 30d --critical 7d.",
			"--warn %s is less than --critical %s: nothing would ever be a warning.", &f.warn, &f.critical)
	case f.kubeadm && words != "":
		return usage("Leave out one of the two.", "--kubeadm prints kubeadm's table, and takes no filter.")
	case f.kubeadm && f.output.value != "table":
		return usage("Leave out one of the two.", "--kubeadm prints kubeadm's table, and not %s.", f.output.value)
	}
	return nil
}

func (p *program) certs(cmd *cobra.Command, o *options, f *certsFlags, words string) error {
	filter, err := views.ParseFilter(words)
	if err != nil {
		return usage(`A filter is words, "quoted words" and !word for what must not occur.`, "The filter %q cannot be read: %v.", words, err)
	}
	if err := errors.Join(f.check(words), o.certs.check()); err != nil {
		return err
	}
	limit, err := timeout(*o.kube.Timeout)
	if err != nil {
		return err
	}
	log := p.openLog(o)
	cluster, err := p.clients(o, log) // expired credentials are for the rows to tell
	if err != nil {
		return err
	}
	limits := kube.CertLimits{Warn: max(1, time.Duration(f.warn)), Critical: time.Duration(f.critical)} // both 0 are the defaults
	cluster.SetCertLimits(limits)
	inventory, err := o.inventory(cluster, log, true)
	if err != nil {
		return err
	}
	read, err := readCerts(cmd.Context(), cluster, inventory, cmp.Or(limit, certsLimit))
	if err != nil {
		return err
	}
	m := kube.Moment{Now: p.now(), CertLimits: limits}
	if f.kubeadm {
		return p.kubeadmTable(cmd, inventory, read.own, m)
	}
	rows := slices.DeleteFunc(read.rows, func(c *kube.Cert) bool {
		return !filter.Keep(func(word string) bool { return c.Matches(word, m) })
	})
	if err := views.PrintCerts(cmd.OutOrStdout(), views.Format(f.output.value), rows, m); err != nil {
		return fmt.Errorf("print the certificates: %w", err)
	}
	if len(rows) == 0 && !filter.Empty() {
		fmt.Fprintf(cmd.ErrOrStderr(), "No certificates match %s.\n", text.Clean(filter.Text))
		return certsState(certsUnknown)
	}
	return p.concludeCerts(cmd.ErrOrStderr(), read.own, rows, m)
}

// kubeadmTable prints what kubeadm would, and is judged by that alone: where all of it lies on this machine, it does not matter
// whether the API server answers.
func (p *program) kubeadmTable(cmd *cobra.Command, i *certs.Inventory, own error, m kube.Moment) error {
	leaves, authorities := i.Kubeadm()
	if err := views.PrintKubeadm(cmd.OutOrStdout(), leaves, authorities, m); err != nil {
		return fmt.Errorf("print the certificates: %w", err)
	}
	rows := slices.Concat(leaves, authorities)
	if _, unseen := countCerts(rows, m); unseen == 0 {
		own = nil
	}
	return p.concludeCerts(cmd.ErrOrStderr(), own, rows, m)
}

// concludeCerts says on the side what the rows do not, the state in one line and what could not be seen, and gives the exit
// code.
func (p *program) concludeCerts(w io.Writer, own error, rows []*kube.Cert, m kube.Moment) error {
	if own != nil {
		e := kube.Explain(own)
		p.say(e.Sentence, e.Next, 0)
	}
	counts, unseen := countCerts(rows, m)
	seen := len(rows) - unseen
	note := fmt.Sprintf("%s: %d critical, %d with a warning", text.Plural(seen, "certificate", "certificates"),
		counts[kube.Bad], counts[kube.Warning])
	if next := nextCert(rows, m.Now); next != nil {
		note += fmt.Sprintf("; next: %s at %s in %s", next.Name, next.Place().Where, next.LeftText(m.Now))
	}
	if unseen > 0 {
		note += fmt.Sprintf("; %s could not be seen", text.Plural(unseen, "place", "places"))
	}
	fmt.Fprintln(w, note+".")
	if code := certsCode(rows, own, m); code != certsWell {
		return certsState(code)
	}
	return nil
}

// countCerts counts the rows that were seen by their severity, and those that were not.
func countCerts(rows []*kube.Cert, m kube.Moment) (counts [kube.Bad + 1]int, unseen int) {
	for _, c := range rows {
		if c.Unseen != "" {
			unseen++
			continue
		}
		counts[c.Severity(m)]++
	}
	return counts, unseen
}

// nextCert is what somebody has to renew first of what has not expired, nil if there is nothing.
func nextCert(rows []*kube.Cert, now time.Time) *kube.Cert {
	var next *kube.Cert
	for _, c := range rows {
		if class := c.Place().Class; c.Unseen != "" || class == kube.ShortLived || class == kube.BootstrapToken {
			continue
		}
		if end := c.Ends(); end.After(now) && (next == nil || cmp.Or(end.Compare(next.Ends()), cmp.Compare(c.Name, next.Name)) < 0) {
			next = c
		}
	}
	return next
}

// certsCode is the exit code. What is known to be wrong counts for more than what is not known; a place that cannot be seen is
// no news, but a server that does not speak with us is, and so is a reading that has found nothing.
func certsCode(rows []*kube.Cert, own error, m kube.Moment) int {
	counts, unseen := countCerts(rows, m)
	switch {
	case counts[kube.Bad] > 0:
		return certsCritical
	case counts[kube.Warning] > 0:
		return certsWarning
	case own != nil, unseen == len(rows):
		return certsUnknown
	}
	return certsWell
}

// days is a time as certificates have them: 30d, 2w, 12h, 1d12h.
type days time.Duration

// longest is more than any certificate lives, and far from an overflow.
const longest = 100 * 365 * 24 * time.Hour

// dayUnits are what a time can be counted in.
var dayUnits = map[string]time.Duration{
	"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second,
}

// String implements pflag.Value.
func (d *days) String() string {
	t := time.Duration(*d)
	switch {
	case t == 0:
		return "0"
	case t%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", t/(24*time.Hour))
	}
	out := t.String()
	for _, zero := range [...]string{"m0s", "h0m"} {
		if strings.HasSuffix(out, zero) {
			out = out[:len(out)-2]
		}
	}
	return out
}

// Type implements pflag.Value: what the help shows for the value.
func (d *days) Type() string { return "time" }

// Set implements pflag.Value.
func (d *days) Set(s string) error {
	t, err := parseDays(s)
	if err != nil {
		return err
	}
	*d = days(t)
	return nil
}

// parseDays reads a sum of numbers with units; 0 needs none.
func parseDays(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	var sum float64 // in nanoseconds
	for rest := s; rest != "" || s == ""; {
		unitAt := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		number, err := strconv.ParseFloat(rest[:unitAt], 64)
		rest = rest[unitAt:]
		unit := rest[:len(rest)-len(strings.TrimLeft(rest, "wdhms"))]
		if err != nil || dayUnits[unit] == 0 {
			return 0, errors.New("use a number with a unit, such as 30d, 2w or 12h")
		}
		sum, rest = sum+number*float64(dayUnits[unit]), rest[len(unit):]
	}
	if sum > float64(longest) {
		return 0, errors.New("use less than 100 years")
	}
	return time.Duration(sum), nil
}
