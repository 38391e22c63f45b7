package action

import (
	"context"
	"slices"
	"sync"
)

// Progress is how a Work tells what it does, and what the operator wants of it meanwhile. None of its methods blocks.
type Progress struct {
	changed func() // told of every change; must not block

	mu      sync.Mutex
	steps   map[string]*Step // by their keys
	note    string
	total   Tally
	paused  bool
	skipped map[string]bool // by the keys of steps
	wish    chan struct{}   // capacity 1: the operator wants something else
}

// Tally is how much of a run is behind it.
type Tally struct{ Done, Of int }

// NewProgress makes the progress of a run that has not begun. changed is called for everything new.
func NewProgress(changed func()) *Progress {
	return &Progress{changed: changed, steps: map[string]*Step{}, skipped: map[string]bool{}, wish: make(chan struct{}, 1)}
}

// Step reports the newest state of a step; only that is kept.
func (p *Progress) Step(s Step) {
	p.mu.Lock()
	p.steps[s.key()] = &s
	p.mu.Unlock()
	p.changed()
}

// Say reports how the whole stands: "18 of 23 gone, 1 blocked", and how many of how many are behind it.
func (p *Progress) Say(note string, t Tally) {
	p.mu.Lock()
	p.note, p.total = note, t
	p.mu.Unlock()
	p.changed()
}

// Steps gives the newest state of every step, in the order of the plan.
func (p *Progress) Steps() []*Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*Step, 0, len(p.steps))
	for _, s := range p.steps {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *Step) int { return a.Place - b.Place })
	return out
}

// said is what Say was told last.
func (p *Progress) said() (string, Tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.note, p.total
}

// Wish has a value when Paused or Skipped may have changed.
func (p *Progress) Wish() <-chan struct{} { return p.wish }

// Paused reports whether nothing new is to be begun.
func (p *Progress) Paused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused
}

// Skipped reports whether the operator has taken a step out of the run.
func (p *Progress) Skipped(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.skipped[key]
}

// Go waits for as long as nothing new is to be begun, and reports whether to go on: false once ctx has ended.
func (p *Progress) Go(ctx context.Context) bool {
	for p.Paused() {
		select {
		case <-ctx.Done():
			return false
		case <-p.wish:
		}
	}
	return ctx.Err() == nil
}

// Pause asks for nothing new to be begun, or for going on.
func (p *Progress) Pause(on bool) {
	p.mu.Lock()
	p.paused = on
	p.mu.Unlock()
	p.wished()
}

// Skip takes a step out of the run. What has been accepted already cannot be called back.
func (p *Progress) Skip(key string) {
	p.mu.Lock()
	p.skipped[key] = true
	p.mu.Unlock()
	p.wished()
}

func (p *Progress) wished() {
	select {
	case p.wish <- struct{}{}:
	default:
	}
	p.changed()
}
