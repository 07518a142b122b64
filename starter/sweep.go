package starter

import (
	"context"
	"fmt"
	"time"

	"scrip.dev/scrip/store"
)

// pausedRetry is how soon a due entry of a campaign that is held is looked at again.
const pausedRetry = time.Minute

// enterDue turns debounced entries whose quiet time is over into journeys, or
// refuses them: the newest event has to satisfy the trigger, and nothing may have
// happened meanwhile that ends the journey before it begins.
func (d *Dispatcher) enterDue(ctx context.Context, lease store.Lease) (int, error) {
	due, err := d.Store.DueEntries(ctx, d.Store.Pool, dueBatchSize)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	return together(due,
		func(some []store.PendingEntry) error { return d.enterTogether(ctx, lease, some) },
		func(one store.PendingEntry, bad *eventError) error {
			d.Log.WarnContext(ctx, "a debounced entry can't be taken in; it is tried again", "entry", one.ID, "campaign", one.CampaignID, "reason", bad.reason)
			return d.Store.PostponePending(ctx, d.Store.Pool, one.ID, retryPauses[len(retryPauses)-1])
		})
}

func (d *Dispatcher) enterTogether(ctx context.Context, lease store.Lease, due []store.PendingEntry) error {
	var b *batch
	err := d.Store.InTx(ctx, func(tx *store.Tx) error {
		var err error
		if b, err = d.begin(ctx, tx, lease); err != nil {
			return err
		}
		for _, p := range due {
			if err := b.enterOne(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && b != nil {
		return eventErrorOf(err)
	}
	if err == nil {
		b.count()
	}
	return err
}

func (b *batch) enterOne(ctx context.Context, p store.PendingEntry) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &eventError{reason: fmt.Sprintf("dispatching panicked: %T", r), cause: fmt.Errorf("%v", r)}
		}
	}()
	e := b.catalogue.current[p.CampaignID]
	if e == nil { // this build can't read the campaign, which was said when it was found
		return b.Store.PostponePending(ctx, b.tx, p.ID, pausedRetry)
	}
	if e.State == "paused" { // held like every other step of a paused campaign
		return b.Store.PostponePending(ctx, b.tx, p.ID, b.Clock.Shorten(pausedRetry))
	}
	s := b.newScene(0, p.Trace, nil)
	a := attempt{entrance: e, key: p.Key, trace: p.Trace}
	if a.event, err = s.stored(ctx, p.EventID); err != nil {
		return err
	}
	if a.contact, err = s.contact(ctx, p.ContactID); err != nil {
		return err
	}
	if waited, err := b.Store.DeletePending(ctx, b.tx, p.ID); err != nil || !waited {
		return err
	}
	if a.contact.Erased {
		return s.refuse(ctx, a, store.RefusedErased, "")
	}
	reason, err := s.qualifies(ctx, a)
	if err == nil && reason == "" {
		reason, err = s.admit(ctx, a)
	}
	return s.refuseUnless(ctx, err, a, reason)
}
