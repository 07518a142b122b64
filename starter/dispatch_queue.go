package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"scrip.dev/scrip/store"
)

// eventError is a delivery that can't be dispatched because of what it says.
// Everything else that goes wrong is the infrastructure's and never counts
// against a delivery.
type eventError struct {
	reason string // a sentence without personal data
	final  bool   // trying again can't help
	cause  error
}

func (e *eventError) Error() string { return e.reason }
func (e *eventError) Unwrap() error { return e.cause }

// retryPauses stand between the attempts at a delivery; after the last one it
// becomes a dead letter.
var retryPauses = []time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute}

// dispatchQueue takes the next deliveries through the first stage, all in one
// transaction. Where one of them can't be dispatched, each gets a transaction of
// its own, so that it alone fails.
func (d *Dispatcher) dispatchQueue(ctx context.Context, lease store.Lease) (int, error) {
	deliveries, err := d.Store.QueuedDeliveries(ctx, d.Store.Pool, batchSize)
	if err != nil || len(deliveries) == 0 {
		return 0, err
	}
	return together(deliveries,
		func(some []store.Delivery) error { return d.dispatchTogether(ctx, lease, some) },
		func(one store.Delivery, bad *eventError) error { return d.fail(ctx, lease, one, bad) })
}

// together does all in one go; where one of them is bad, each alone, so that it
// alone fails. It gives how many are settled.
func together[T any](all []T, do func([]T) error, fail func(T, *eventError) error) (int, error) {
	err := do(all)
	var bad *eventError
	if !errors.As(err, &bad) {
		return len(all), err
	}
	for i := range all {
		err := do(all[i : i+1])
		if errors.As(err, &bad) {
			err = fail(all[i], bad)
		}
		if err != nil {
			return i, err
		}
	}
	return len(all), nil
}

func (d *Dispatcher) dispatchTogether(ctx context.Context, lease store.Lease, deliveries []store.Delivery) error {
	var b *batch
	err := d.Store.InTx(ctx, func(tx *store.Tx) error {
		var err error
		if b, err = d.begin(ctx, tx, lease); err != nil {
			return err
		}
		ids := make([]int64, len(deliveries))
		for i, delivery := range deliveries {
			if err := b.dispatch(ctx, delivery); err != nil {
				return err
			}
			ids[i] = delivery.ID
		}
		return d.Store.DequeueDeliveries(ctx, tx, ids)
	})
	if err != nil && b != nil {
		// A statement's fault may be found as late as at the commit.
		return eventErrorOf(err)
	}
	if err != nil {
		return err
	}
	b.count()
	for _, delivery := range deliveries {
		d.Metrics.Dispatched.WithLabelValues(delivery.Connection, "done").Inc()
		d.Metrics.DispatchSeconds.Observe(time.Since(delivery.ReceivedAt).Seconds())
	}
	return nil
}

// eventErrorOf finds the delivery's fault in errors of the database.
func eventErrorOf(err error) error {
	var bad *eventError
	var unreadable *store.Unreadable
	switch {
	case errors.As(err, &bad):
		return err
	case errors.As(err, &unreadable):
		return &eventError{cause: err, reason: fmt.Sprintf("it concerns a journey in version %d of campaign %s, which this build can't read; "+
			"run the build that applied it, or stop the campaign, and replay", unreadable.Version, unreadable.Name)}
	case errors.Is(err, store.ErrNotFound):
		return &eventError{reason: "something that the event refers to is gone", cause: err}
	case !store.IsDataError(err):
		return err
	}
	return &eventError{reason: "the database refused what the event says: " + store.DataErrorCode(err), cause: err}
}

// fail puts a delivery off or, after its attempts, among the dead letters.
func (d *Dispatcher) fail(ctx context.Context, lease store.Lease, delivery store.Delivery, bad *eventError) error {
	dead := bad.final || delivery.Attempts >= len(retryPauses)
	err := d.Store.InTx(ctx, func(tx *store.Tx) error {
		store.CheckLease(tx, lease)
		if dead {
			return d.Store.BuryDelivery(ctx, tx, delivery, bad.reason)
		}
		return d.Store.PostponeDelivery(ctx, tx, delivery.ID, retryPauses[delivery.Attempts])
	})
	if err != nil {
		return err
	}
	outcome := "postponed"
	if dead {
		outcome = "dead"
		d.Log.WarnContext(ctx, "a delivery became a dead letter; see `scrip inbox failed`", "delivery", delivery.ID, "connection", delivery.Connection, "reason", bad.reason)
	}
	d.Metrics.Dispatched.WithLabelValues(delivery.Connection, outcome).Inc()
	return nil
}

// batch is one transaction of the first stage.
type batch struct {
	*Dispatcher
	tx        *store.Tx
	catalogue *index
	now       time.Time
	counted   []func() // metrics, counted when the transaction is committed
}

func (d *Dispatcher) begin(ctx context.Context, tx *store.Tx, lease store.Lease) (*batch, error) {
	store.CheckLease(tx, lease)
	catalogue, err := d.catalogue.load(ctx, d, tx)
	if err != nil {
		return nil, err
	}
	return &batch{Dispatcher: d, tx: tx, catalogue: catalogue, now: time.Now()}, nil
}

func (b *batch) later(count func()) { b.counted = append(b.counted, count) }

func (b *batch) count() {
	for _, count := range b.counted {
		count()
	}
}

// dispatch takes one delivery through the first stage. A panic is the delivery's
// fault: it must not stop the queue.
func (b *batch) dispatch(ctx context.Context, delivery store.Delivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &eventError{reason: fmt.Sprintf("dispatching panicked: %T", r), cause: fmt.Errorf("%v", r)}
		}
	}()
	ctx, span := goOn(ctx, delivery.Trace, "dispatch "+delivery.Connection)
	defer span.End()
	said, err := b.normalise(delivery)
	if err != nil {
		return err
	}
	if err := b.takeEvidence(ctx, delivery, said.Evidence); err != nil {
		return err
	}
	happened, err := b.storeEvents(ctx, delivery, said.Events)
	if err != nil {
		return err
	}
	if len(happened) > 0 {
		if err := b.newScene(delivery.ID, Traceparent(ctx), happened).play(ctx); err != nil {
			return err
		}
	}
	// Erasing a person finds payloads by their events. One that told of messages, or
	// of nothing that is kept, would be overlooked, and nobody reads it again.
	if len(happened) == 0 || len(said.Evidence) > 0 {
		return b.Store.DropBody(ctx, b.tx, delivery)
	}
	return nil
}

// play does what the events of a delivery lead to.
func (s *scene) play(ctx context.Context) error {
	if err := s.tellJourneys(ctx); err != nil {
		return err
	}
	if err := s.exitPending(ctx); err != nil {
		return err
	}
	return s.trigger(ctx)
}
