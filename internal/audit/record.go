package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Event is what a line tells of.
type Event string

// The events that there are.
const (
	Intent Event = "intent" // before the first request of a run
	Result Event = "result" // after the last one
	Left   Event = "left"   // an operator has said that an interrupted run is to be left alone, or what an ended one left behind; Run is that run
)

// CutOff is the State of a result that was written because the program had to end before the run did.
const CutOff = "cut off"

// Record is one line of the log. Its texts are sanitised by who writes it: Append takes them as they are. A record that is
// read back equals what was written, but for times, which are kept to the millisecond in UTC, and for numbers in Details,
// which come back as encoding/json has them: float64.
type Record struct {
	Time    time.Time         `json:"time"`
	Event   Event             `json:"event"`
	Run     string            `json:"run"`     // id of the run
	Process string            `json:"process"` // random id of the run of the program that wrote the line; set by Append
	Host    string            `json:"host"`    // set by Append
	PID     int               `json:"pid"`     // set by Append; for people, as the system gives it to another process one day
	User    string            `json:"user,omitempty"`
	Context string            `json:"context,omitempty"` // of the kubeconfig
	Server  string            `json:"server,omitempty"`  // URL
	Action  string            `json:"action,omitempty"`  // "node.drain"
	Objects []Object          `json:"objects,omitempty"` // what is acted on
	Options map[string]string `json:"options,omitempty"` // what was chosen on the sheet
	Details map[string]any    `json:"details,omitempty"`
	Command []string          `json:"command,omitempty"` // kubectl's words for it
	State   string            `json:"state,omitempty"`   // of a result: how it ended
	Summary string            `json:"summary,omitempty"` // of a result
	Steps   []Step            `json:"steps,omitempty"`   // of a result
	Undo    *Undo             `json:"undo,omitempty"`    // of a result: what takes it back
	Version string            `json:"version"`           // of ktriage; set by Append
}

// Object is one object of the cluster.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
}

// Undo is the action that takes a run back.
type Undo struct {
	Action  string            `json:"action"`
	Objects []Object          `json:"objects"`
	Options map[string]string `json:"options,omitempty"`
}

// Step is how one object of a run ended.
type Step struct {
	Object
	State string    `json:"state"`
	Note  string    `json:"note,omitempty"`
	Since time.Time `json:"since,omitzero"` // in this state
}

// Entry is a record and the line that it was read from, without its newline.
type Entry struct {
	Record
	Line string
}

// stamp is a time as the log has it: RFC 3339, UTC, always with milliseconds, so that columns and greps fit.
type stamp time.Time

// IsZero is for omitzero.
func (s stamp) IsZero() bool { return time.Time(s).IsZero() }

// MarshalText is for encoding/json.
func (s stamp) MarshalText() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z07:00"), nil
}

// plain and written are a Record with other types for its times: a field hides one of the same name that is deeper.
type (
	plain     Record
	plainStep Step

	written struct {
		Time stamp `json:"time"`
		plain
		Steps []writtenStep `json:"steps,omitempty"`
	}
	writtenStep struct {
		plainStep
		Since stamp `json:"since,omitzero"`
	}
)

// encode gives the line of a record with its newline.
func encode(r Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	w := written{Time: stamp(r.Time), plain: plain(r)}
	for _, s := range r.Steps {
		w.Steps = append(w.Steps, writtenStep{plainStep: plainStep(s), Since: stamp(s.Since)})
	}
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false) // people grep for what they see: <, > and & stay
	if err := e.Encode(w); err != nil {
		return nil, err
	}
	if n := line.Len() - 1; n > longest {
		return nil, fmt.Errorf("the record is %d bytes long, and more than %d would not be read back", n, longest)
	}
	return line.Bytes(), nil
}

// decode is the reverse of encode. Its error means that the line is not ours, or torn.
func decode(line []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, err
	}
	return r, r.check()
}

// check is what makes a line ours. It is the same for writing and reading, so that nothing is written that is not read.
func (r *Record) check() error {
	switch r.Event {
	case Intent, Result, Left:
	default:
		return fmt.Errorf("there is no event %q", r.Event)
	}
	if r.Run == "" || r.Process == "" {
		return errors.New("the record names no run, or no process")
	}
	return nil
}
