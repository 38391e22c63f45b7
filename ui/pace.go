package ui

import (
	"reflect"
	"sync"
	"time"
	"unsafe"

	tea "charm.land/bubbletea/v2"
)

const (
	// fps is how often Bubble Tea looks for something to write as long as we cannot tell it when.
	fps = 60
	// quick is the distance between two looks when there is a new frame, and hold how long it keeps to that.
	quick = 4 * time.Millisecond
	hold  = 5 * quick
	// slow is the distance otherwise.
	slow = 100 * time.Millisecond
)

// pace has Bubble Tea write a frame as soon as there is one, and leave the processor alone as long as there is none.
//
// Its renderer looks for a new frame at a fixed rate. A key is answered within 16 ms only if that is 75 times a second or
// more, which costs an idle core 0.5 %, as much as everything else that we do. The library has no way to say "now", so
// that its ticker, a field that it does not export, is set from here. A version without that field goes on at the fixed
// rate, and TestFramesAreWrittenWhenThereAreAny says so.
type pace struct {
	mu     sync.Mutex
	ticker *time.Ticker // nil: cannot be had
	idle   *time.Timer
	quick  bool
}

// newPace takes hold of the ticker of a program whose renderer has been started.
func newPace(program *tea.Program) *pace {
	p := &pace{ticker: tickerOf(program)}
	if p.ticker != nil {
		p.idle = time.AfterFunc(hold, p.slowDown)
	}
	return p
}

// tickerOf gives the ticker of a program's renderer, nil before it has been started.
func tickerOf(program *tea.Program) *time.Ticker {
	field := reflect.ValueOf(program).Elem().FieldByName("ticker")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*time.Ticker]() {
		return nil
	}
	return (*time.Ticker)(unsafe.Pointer(field.Pointer())) //nolint:gosec // the type has been looked at
}

// soon says that there is a new frame. Those that follow one another do not put the next look off.
func (p *pace) soon() {
	if p == nil || p.ticker == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.quick {
		p.quick = true
		p.ticker.Reset(quick)
	}
	p.idle.Reset(hold)
}

func (p *pace) slowDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quick = false
	p.ticker.Reset(slow)
}

// stop lets go of the ticker.
func (p *pace) stop() {
	if p != nil && p.idle != nil {
		p.idle.Stop()
	}
}
