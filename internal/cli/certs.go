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
	strict         bool
}

// certsCommand prints every certificate that can be seen from here.
func (p *program) certsCommand(o *options) *cobra.Command {
	limits := kube.DefaultCertLimits()
	f := &certsFlags{output: newChoice("table", "json", string(views.FormatPrometheus), nagios), warn: days(limits.Warn), critical: days(limits.Critical)}
	cmd := &cobra.Command{
		Use: certsName + " [FILTER...]", Aliases: []string{"cert", "certificates"}, GroupID: groupCommands, DisableFlagsInUseLine: true,
		Short: "Print every certificate, soonest to expire first",
		Long: `Print every certificate and credential with an expiry that can be seen from
here, soonest first, and name the places that cannot be seen. The screen shows
the same with ktriage --pane certs.

It exits as monitoring plugins do: 0 all is well, 1 something is a warning, 2
something is critical or has expired, 3 unknown: a flag is wrong, the API server
does not answer, or nothing could be read. What may not be read, or cannot, is
3 with --strict only. It takes 30s at most, or what --request-timeout says.`,
		Example: `  ktriage certs
  ktriage certs apiserver '!etcd'
  ktriage certs --warn 45d --critical 2w -o json
  ktriage certs -o prometheus > certs.prom.$$; mv certs.prom.$$ certs.prom
  ktriage certs -o nagios --strict
  sudo ktriage certs --kubeadm --kubeconfig /etc/kubernetes/admin.conf`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.unknown(cmd, p.certs(cmd, o, f, strings.Join(args, " ")))
		},
	}
	flags := cmd.Flags()
	flags.VarP(&f.output, "output", "o", "format: "+strings.Join(f.output.allowed, ", "))
	flags.Var(&f.warn, "warn", "a warning from `time` before the end, where renewed by hand")
	flags.Var(&f.critical, "critical", "critical from `time` before the end")
	flags.BoolVar(&f.kubeadm, "kubeadm", false, "the table of kubeadm certs check-expiration, and no more")
	flags.BoolVar(&f.strict, "strict", false, "exit code 3 if a source could not be read and nothing is worse")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return f.unknown(cmd, flagError(cmd, err)) })
	return cmd
}

// unknown gives an error the exit code of a state that nobody knows, and says it where a monitor reads. The exit codes of states
// are no errors.
func (f *certsFlags) unknown(cmd *cobra.Command, err error) error {
	var state certsState
	if err == nil || errors.As(err, &state) {
		return err
	}
	out := &complaint{code: certsUnknown}
	if ours, ok := errors.AsType[*complaint](err); ok {
		out.sentence, out.next = ours.sentence, ours.next
	} else {
		e := kube.Explain(err)
		out.sentence, out.next = e.Sentence, e.Next
	}
	if f.output.value == nagios {
		fmt.Fprintln(cmd.OutOrStdout(), nagiosHead(certsUnknown, out.sentence))
	}
	return out
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
	case f.kubeadm && f.strict:
		return usage("Leave out one of the two.", "--kubeadm prints kubeadm's table, and --strict is about all the rest.")
	}
	return nil
}

func (p *program) certs(cmd *cobra.Command, o *options, f *certsFlags, words string) error {
	filter, err := parseFilter("certificates", words)
	if err != nil {
		return err
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
	keep := views.Keeps[*kube.Cert](filter)
	rows := slices.DeleteFunc(read.rows, func(c *kube.Cert) bool {
		return !keep(c, m)
	})
	v := judgeCerts(rows, read.sources, read.own, m)
	v.strict = f.strict
	if len(rows) == 0 && !filter.Empty() {
		v.none = fmt.Sprintf("No certificates match %s.", text.Clean(filter.Text))
	}
	if err := v.print(cmd.OutOrStdout(), f.output.value); err != nil {
		return fmt.Errorf("print the certificates: %w", err)
	}
	return p.concludeCerts(cmd.ErrOrStderr(), v, f.output.value)
}

// kubeadmTable prints what kubeadm would, and is judged by that alone: where all of it lies on this machine, it does not matter
// whether the API server answers.
func (p *program) kubeadmTable(cmd *cobra.Command, i *certs.Inventory, own error, m kube.Moment) error {
	leaves, authorities := i.Kubeadm()
	if err := views.PrintKubeadm(cmd.OutOrStdout(), leaves, authorities, m); err != nil {
		return fmt.Errorf("print the certificates: %w", err)
	}
	v := judgeCerts(slices.Concat(leaves, authorities), nil, own, m)
	if v.undated == 0 {
		v.own = nil
	}
	return p.concludeCerts(cmd.ErrOrStderr(), v, "table")
}

// concludeCerts says on the side what the rows do not, the state in one line and what could not be seen, and gives the exit
// code. What a monitor reads has said it already.
func (p *program) concludeCerts(w io.Writer, v *certsVerdict, format string) error {
	switch {
	case format == nagios:
	case v.none != "":
		fmt.Fprintln(w, v.none)
	default:
		if v.own != nil {
			e := kube.Explain(v.own)
			p.say(e.Sentence, e.Next, 0)
		}
		fmt.Fprintln(w, v.summary())
	}
	if code := v.code(); code != certsWell {
		return certsState(code)
	}
	return nil
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
