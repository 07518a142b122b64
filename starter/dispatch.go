package starter

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

// Times of the dispatcher.
const (
	leaseName     = "dispatcher"
	leaseSpan     = 10 * time.Second
	leaseRenewal  = 3 * time.Second
	pollInterval  = 500 * time.Millisecond // the truth; everything else only wakes earlier
	sweepInterval = 250 * time.Millisecond // between two looks for entries that are due, while deliveries come in
	longestRest   = 50 * time.Millisecond  // between two rounds, while deliveries come in
	trouble       = time.Second            // pause after the database failed
	batchSize     = 500                    // deliveries a transaction
	dueBatchSize  = 200                    // debounced entries a transaction
	releaseWithin = 2 * time.Second
)

// Dispatcher carries what was accepted to the journeys it concerns. One process's
// dispatcher is active at a time; the others stand by. It works in two stages:
// the first turns deliveries into events, journeys and outbox rows and needs only
// Postgres; the second tells Temporal what stands in the outbox.
type Dispatcher struct {
	Store    *store.Store
	Sources  Sources
	Temporal Temporal
	Clock    campaign.Clock  // of the project; zero is the real time
	Zone     *time.Location  // of the project; nil is UTC
	Holder   string          // names this process in the lease
	Woken    <-chan struct{} // of this process's inbox; may be nil
	Metrics  *InboxMetrics
	Ended    func(campaign, outcome string) // counts journeys that could not start
	Log      *slog.Logger

	outbox    chan struct{} // wakes the second stage
	swept     time.Time     // when it was last looked for entries that are due
	catalogue catalogue
}

// Run dispatches until ctx ends. It returns only then; trouble with the database
// or with Temporal is waited out.
func (d *Dispatcher) Run(ctx context.Context) {
	d.outbox = make(chan struct{}, 1)
	woken := make(chan struct{}, 1)
	var listening sync.WaitGroup
	listening.Go(func() { d.listen(ctx, woken) })
	defer listening.Wait()
	for ctx.Err() == nil {
		lease, err := d.Store.AcquireLease(ctx, leaseName, d.Holder, leaseSpan)
		if err != nil {
			if !errors.Is(err, store.ErrDeposed) && ctx.Err() == nil {
				d.Log.WarnContext(ctx, "the dispatcher can't take its lease", "error", err)
			}
			pause(ctx, leaseRenewal)
			continue
		}
		d.lead(ctx, lease, woken)
	}
}

// lead works under the lease until ctx ends or another process has taken over.
func (d *Dispatcher) lead(ctx context.Context, lease store.Lease, woken <-chan struct{}) {
	d.Log.InfoContext(ctx, "dispatching", "holder", lease.Holder, "epoch", lease.Epoch)
	d.Metrics.Active.Set(1)
	defer d.Metrics.Active.Set(0)
	held, end := context.WithCancel(ctx)
	var stages sync.WaitGroup
	stages.Go(func() { defer end(); d.renew(held, lease) })
	stages.Go(func() { defer end(); d.dispatch(held, lease, woken) })
	stages.Go(func() { defer end(); newDelivery(d, lease).run(held) })
	stages.Wait()
	// The next one needn't wait for the lease to run out.
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	if err := d.Store.ReleaseLease(release, lease); err != nil {
		d.Log.WarnContext(ctx, "the dispatcher's lease runs out by itself", "error", err)
	}
}

// renew prolongs the lease and returns when it is lost. While the database is
// away it keeps trying: every write checks the epoch, so nothing can go wrong.
func (d *Dispatcher) renew(ctx context.Context, lease store.Lease) {
	for pause(ctx, leaseRenewal) {
		renewed, err := d.Store.AcquireLease(ctx, lease.Name, lease.Holder, leaseSpan)
		if errors.Is(err, store.ErrDeposed) || (err == nil && renewed.Epoch != lease.Epoch) {
			d.Log.WarnContext(ctx, "another process dispatches now", "epoch", lease.Epoch)
			return
		}
	}
}

// dispatch is the first stage: deliveries in the order of the queue, and debounced
// entries that are due.
func (d *Dispatcher) dispatch(ctx context.Context, lease store.Lease, woken <-chan struct{}) {
	for ctx.Err() == nil {
		began := time.Now()
		worked, err := d.round(ctx, lease)
		switch {
		case errors.Is(err, store.ErrDeposed):
			return
		case err != nil && ctx.Err() == nil:
			d.Log.WarnContext(ctx, "dispatching waits for the database", "error", err)
			pause(ctx, trouble)
		case worked:
			d.wakeOutbox()
			// Rounds that follow each other take turns with everything else: the next one
			// has more to do, and is cheaper by the delivery.
			pause(ctx, min(time.Since(began), longestRest))
		default:
			d.sleep(ctx, woken)
		}
	}
}

// round does what can be done now. worked says whether there may be more.
func (d *Dispatcher) round(ctx context.Context, lease store.Lease) (worked bool, err error) {
	dispatched, err := d.dispatchQueue(ctx, lease)
	if err != nil || dispatched > 0 && time.Since(d.swept) < sweepInterval {
		return dispatched > 0, err
	}
	d.swept = time.Now()
	entered, err := d.enterDue(ctx, lease)
	return dispatched > 0 || entered > 0, err
}

func (d *Dispatcher) sleep(ctx context.Context, woken <-chan struct{}) {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	select {
	case <-d.Woken:
	case <-woken:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (d *Dispatcher) wakeOutbox() {
	select {
	case d.outbox <- struct{}{}:
	default:
	}
}

// listen wakes the dispatcher when another process has stored something. It needs
// a connection of its own.
func (d *Dispatcher) listen(ctx context.Context, woken chan<- struct{}) {
	for ctx.Err() == nil {
		if err := d.listenOnce(ctx, woken); err != nil && ctx.Err() == nil {
			pause(ctx, leaseRenewal)
		}
	}
}

func (d *Dispatcher) listenOnce(ctx context.Context, woken chan<- struct{}) error {
	conn, err := pgx.ConnectConfig(ctx, d.Store.Pool.Config().ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+inboxChannel); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}

// pause returns false where ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
