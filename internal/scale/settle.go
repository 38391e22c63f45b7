package main

import (
	"context"
	"time"
)

// What counts as quiet, and how long it is waited for.
const (
	quietShare = 5 // % of a core, of all processes of the cluster together
	quietSpan  = 3 * time.Second
	mostWait   = time.Minute
)

// settle waits until the cluster has nothing to do any more: what is measured while an API server still works off what
// came before, is a measure of that.
func (b *bench) settle(ctx context.Context) error {
	for began := time.Now(); ; {
		busy, err := b.cluster.busy(ctx, quietSpan)
		if err != nil || busy < quietShare {
			return err
		}
		if time.Since(began) >= mostWait {
			b.say("the cluster still uses %.0f %% of a core, %s after it could have come to rest", busy, mostWait)
			return nil
		}
	}
}

// busy gives how much of a core, in per cent, the cluster uses in a time that begins now.
func (c *cluster) busy(ctx context.Context, span time.Duration) (float64, error) {
	began := time.Now()
	before, err := c.serverCPU()
	if err != nil {
		return 0, err
	}
	if err := pause(ctx, span); err != nil {
		return 0, err
	}
	after, err := c.serverCPU()
	return percent(after-before, time.Since(began)), err
}
