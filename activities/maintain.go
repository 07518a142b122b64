package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

// UpkeepInput is empty; it leaves room.
type UpkeepInput struct{}

// Upkeep counts what one round of maintenance did.
type Upkeep struct {
	Expired   int `json:"expired"`    // codes and coupons whose expiry became an event
	Lost      int `json:"lost"`       // journeys that Temporal no longer knows
	Restarted int `json:"restarted"`  // entries whose start was never told to Temporal
	TakenBack int `json:"taken_back"` // withdrawn codes that their shop still had
	GivenUp   int `json:"given_up"`   // messages whose call was lost when their journey was over
	Notified  int `json:"notified"`   // notices to teams that a person wanted sent again
	Dropped   int `json:"dropped"`    // payloads past the time they are kept
}

// Executions is what maintenance asks Temporal: whether a journey still runs.
type Executions interface {
	// Running returns serviceerror.NotFound for a journey that Temporal doesn't know.
	Running(ctx context.Context, campaignName, journey string) (bool, error)
}

// lostBatch bounds one round: the open journeys it asks Temporal about, the codes it
// takes back.
const lostBatch = 200

// Maintain does one round of upkeep. Every part is harmless when repeated, and one
// that fails, or has too much to do, doesn't keep the others from their turn.
func (a *Activities) Maintain(ctx context.Context, _ UpkeepInput) (Upkeep, error) {
	var done Upkeep
	parts := []struct {
		count *int
		do    func(context.Context) (int, error)
	}{
		{&done.Expired, func(ctx context.Context) (int, error) { return a.Store.RaiseExpired(ctx, a.Project.Clock) }},
		{&done.Expired, func(ctx context.Context) (int, error) {
			return a.Store.RaiseExpiredCoupons(ctx, a.Project.Clock, a.Project.Zone)
		}},
		{&done.Restarted, func(ctx context.Context) (int, error) { return a.Store.RestartForgotten(ctx, time.Minute) }},
		{&done.Lost, a.closeLost},
		{&done.TakenBack, a.takeBackLeft},
		{&done.GivenUp, a.giveUpCalls},
		{&done.Notified, a.notifyAgain},
		{new(int), func(ctx context.Context) (int, error) { return 0, a.Store.ApplyEarlyEvidence(ctx) }},
		{&done.Dropped, func(ctx context.Context) (int, error) { return a.Store.DropOld(ctx, a.Project.KeepBodies) }},
	}
	var errs []error
	for i, part := range parts {
		ctx, cancel := share(ctx, len(parts)-i)
		n, err := part.do(ctx)
		cancel()
		*part.count += n
		errs = append(errs, err)
	}
	return done, a.wrap(ctx, "maintaining", Step{}, errors.Join(errs...))
}

// share gives the next of so many parts its share of the time that is left.
func share(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	until, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(until)/time.Duration(parts))
}

// giveUpCalls lists the messages whose attempts were lost after their journey had
// ended: an exit was taken while the call was under way.
func (a *Activities) giveUpCalls(ctx context.Context) (int, error) {
	lost, err := a.Store.LostCalls(ctx, lostBatch)
	if err != nil {
		return 0, err
	}
	listed := 0
	for _, m := range lost {
		err := a.lapse(ctx, m)
		if err == nil {
			listed++
		} else if err := notForLater(err); err != nil {
			return listed, err
		}
	}
	return listed, nil
}

// notForLater leaves out what Temporal would be asked to try again later: the ledger has what
// became of it, and the next round of upkeep comes by itself.
func notForLater(err error) error {
	var later *temporal.ApplicationError
	if errors.As(err, &later) {
		return nil
	}
	return err
}

// takeBackLeft deactivates withdrawn codes that their shop still has, because the
// workflow or request that was to do it was ended before it could.
func (a *Activities) takeBackLeft(ctx context.Context) (int, error) {
	codes, err := a.Store.LeftInShop(ctx, lostBatch)
	if err != nil {
		return 0, err
	}
	return len(codes), a.withdrawInShop(ctx, codes)
}

// closeLost ends journeys whose workflow is gone without having ended them: it was
// terminated, or Temporal's database was lost. Their unseen codes return.
func (a *Activities) closeLost(ctx context.Context) (int, error) {
	journeys, err := a.Store.LongOpenJourneys(ctx, lostBatch)
	if err != nil {
		return 0, err
	}
	lost := 0
	for _, j := range journeys {
		running, err := a.Executions.Running(ctx, j.Campaign, j.ID)
		var gone *serviceerror.NotFound
		if err != nil && !errors.As(err, &gone) {
			return lost, err
		}
		if running {
			continue
		}
		ended, err := a.Store.EndJourney(ctx, store.Ending{Journey: j.ID, Outcome: campaign.OutcomeLost, Settle: true})
		if err != nil {
			return lost, err
		}
		if err := a.withdrawInShop(ctx, ended.Withdraw); err != nil {
			return lost, err
		}
		a.ended(ended)
		lost++
	}
	return lost, nil
}
