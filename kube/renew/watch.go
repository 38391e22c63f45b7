package renew

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

const (
	// watchLimit is how long places are watched, and watchPace the distance of two looks.
	watchLimit, watchPace = 30 * time.Minute, 5 * time.Second
	// lookLimit bounds one look.
	lookLimit = 10 * time.Second
	// follows is how long what reads a file may take to serve what is in it: kube-apiserver looks at its own once a minute at
	// least (DynamicCertKeyPairContent in k8s.io/apiserver/pkg/server/dynamiccertificates).
	follows = time.Minute
)

// watch is the work of a runbook: it sends nothing that changes anything, and looks whether somebody has done what it says.
type watch struct {
	inventory Inventory
	cert      *kube.Cert
	places    []kube.CertPlace
	late      string   // what may be wrong where a place does not follow
	todo      []string // the steps of the runbook, to be read while they are being done
}

// Run implements action.Work.
func (w *watch) Run(ctx context.Context, _ *kube.Cluster, p *action.Progress) action.Result {
	began := time.Now()
	steps := make([]action.Step, len(w.places))
	for i, place := range w.places {
		steps[i] = action.Step{
			Object: kube.Ref{Kind: kube.Certs, Name: place.Where, UID: w.cert.UID}, Key: fmt.Sprintf("place %d", i),
			Place: i, Since: began, Follows: true, Note: "not renewed yet", Why: w.todo,
		}
		p.Step(steps[i])
	}
	for ctx.Err() == nil {
		done := w.lookAll(ctx, steps, p)
		p.Say(w.tally(done), action.Tally{Done: done, Of: len(steps)})
		if done == len(steps) || time.Since(began) >= watchLimit {
			break
		}
		again := time.NewTimer(watchPace)
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
	return w.result(ctx, steps, p)
}

// lookAll looks at every place that does not have the new certificate yet, and gives how many have it.
func (w *watch) lookAll(ctx context.Context, steps []action.Step, p *action.Progress) (done int) {
	for i := range steps {
		if steps[i].State != action.StepDone && ctx.Err() == nil {
			w.look(ctx, &steps[i], w.places[i], w.onDisk(steps))
			p.Step(steps[i])
		}
		if steps[i].State == action.StepDone {
			done++
		}
	}
	return done
}

// onDisk is when a file was seen to have been renewed, zero if none was: whoever reads it should follow.
func (w *watch) onDisk(steps []action.Step) time.Time {
	for i, s := range steps {
		if s.State == action.StepDone && w.places[i].Source == kube.FromFile {
			return s.Since
		}
	}
	return time.Time{}
}

// look looks at one place.
func (w *watch) look(ctx context.Context, s *action.Step, place kube.CertPlace, onDisk time.Time) {
	limit, stop := context.WithTimeout(ctx, lookLimit)
	defer stop()
	x, err := w.inventory.Look(limit, w.cert, place)
	if ctx.Err() != nil {
		return
	}
	turn := func(state action.StepState, note string, why ...string) {
		if s.State != state {
			s.Since = time.Now()
		}
		if len(why) == 0 && state != action.StepDone {
			why = w.todo
		}
		s.State, s.Note, s.Why = state, note, why
	}
	switch now := time.Now(); {
	case err != nil:
		turn(action.StepRetrying, "cannot be seen now", kube.Explain(err).Sentence, "While something is restarted it does not answer.")
	case x.Fingerprint == w.cert.X509.Fingerprint && !onDisk.IsZero() && place.Source != kube.FromFile && now.Sub(onDisk) < follows:
		turn(action.StepWaits, "still the old serial "+shortSerial(x.Serial)+"; its file was renewed just now")
	case x.Fingerprint == w.cert.X509.Fingerprint && !onDisk.IsZero() && place.Source != kube.FromFile:
		turn(action.StepBlocked, "still the old serial: not restarted?", "The file has been renewed, and this place shows serial "+x.Serial+" as before.")
	case x.Fingerprint == w.cert.X509.Fingerprint:
		turn(action.StepWaits, "still the old serial "+shortSerial(x.Serial))
	case !x.To.After(w.cert.X509.To):
		turn(action.StepBlocked, fmt.Sprintf("another certificate, serial %s, that ends no later: %s", shortSerial(x.Serial), left(now, x.To)))
	default:
		turn(action.StepDone, fmt.Sprintf("%s serial %s, %s", renewed(place), shortSerial(x.Serial), left(now, x.To)))
	}
}

// renewed says how a place shows that it has the new certificate.
func renewed(p kube.CertPlace) string {
	switch p.Source {
	case kube.FromFile:
		return "file renewed,"
	case kube.FromHandshake:
		return "served with the new"
	default:
		return "has the new"
	}
}

func (w *watch) tally(done int) string {
	if len(w.places) == 1 && done == 0 {
		return "not renewed yet"
	}
	return fmt.Sprintf("%d of %s renewed", done, text.Plural(len(w.places), "place", "places"))
}

// result says how the watch has ended. That nobody has renewed anything is no failure of what we have sent, but it is one of
// what the plan was for.
func (w *watch) result(ctx context.Context, steps []action.Step, p *action.Progress) action.Result {
	done, notes := 0, []string{}
	for i := range steps {
		if steps[i].State == action.StepDone {
			done++
			notes = append(notes, steps[i].Note)
			continue
		}
		if steps[i].State == action.StepWaits {
			steps[i].Why = []string{w.late}
		}
		steps[i].State, steps[i].Since = action.StepLeft, time.Now()
		p.Step(steps[i])
	}
	out := action.Result{State: action.Done, Summary: strings.Join(notes, "; ")}
	switch {
	case done == len(steps):
		if len(steps) > 2 {
			out.Summary = w.tally(done)
		}
	case ctx.Err() != nil:
		out.State, out.Summary = action.Cancelled, w.tally(done)+"; not watched any more"
	case done > 0:
		out.State, out.Summary = action.Partial, fmt.Sprintf("%s after %v; %s", w.tally(done), watchLimit, w.late)
	default:
		out.State, out.Summary = action.Failed, fmt.Sprintf("not renewed after %v", watchLimit)
	}
	return out
}
