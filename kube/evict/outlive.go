package evict

import (
	"context"
	"errors"
)

// outliving is a context in which what has begun may end after the run has, and in which nothing begins then: whoever looks
// at it when the run is over finds that it has ended, and whoever has looked before hears of the end later.
type outliving struct {
	context.Context // ends when requests under way are aborted
	run             context.Context
}

// outlive gives a context for requests that are not to be aborted by the end of the run, and what aborts them.
func outlive(run context.Context) (outliving, context.CancelFunc) {
	ctx, abort := context.WithCancel(context.WithoutCancel(run))
	return outliving{ctx, run}, abort
}

// refused reports whether an error says that a request was not begun, because the run was over: as long as nothing has been
// aborted nothing else ends as cancelled.
func (o outliving) refused(err error) bool {
	return errors.Is(err, context.Canceled) && o.Context.Err() == nil
}

// Done implements context.Context.
func (o outliving) Done() <-chan struct{} {
	if o.run.Err() != nil {
		return o.run.Done()
	}
	return o.Context.Done()
}

// Err implements context.Context.
func (o outliving) Err() error {
	if err := o.run.Err(); err != nil {
		return err
	}
	return o.Context.Err()
}
