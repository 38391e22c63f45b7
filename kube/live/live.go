// Package live is how a plan is read from the server. Its one rule: what could not be read is said, and never taken for
// nothing.
package live

import (
	"context"
	"sync"

	"ktriage/internal/safe"
)

// InFlight is how many tasks of one plan are under way at the same time.
const InFlight = 8

// Task is one request, or a few that follow each other.
type Task = func(ctx context.Context)

// Each runs tasks, InFlight at a time, and waits for them. What has not begun when ctx ends is left out.
func Each(ctx context.Context, tasks []Task) {
	var wait sync.WaitGroup
	seats := make(chan struct{}, InFlight)
	for _, t := range tasks {
		if ctx.Err() != nil {
			break
		}
		seats <- struct{}{}
		wait.Add(1)
		safe.Go("plan", func() {
			defer func() {
				<-seats
				wait.Done()
			}()
			t(ctx)
		})
	}
	wait.Wait()
}
