package workflows

import (
	"regexp"
	"slices"

	"go.temporal.io/sdk/workflow"

	"scrip.dev/scrip/activities"
	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// maxKept bounds the deliveries that a journey keeps for later awaits.
const maxKept = 200

// inbox is what signals have set and the main line has not looked at yet.
type inbox struct {
	heard   int // signals so far; a change says that something is new
	resumes int
	skips   int
	exit    *ExitRequest
	byHand  []activities.ByHandInput
	retimed bool
}

// hear takes in all signals that have come, on the main line, so that nothing can be
// overlooked when the journey ends or continues as new. A signal only sets state; the
// main line acts on it. A signal's channel is made when the first one comes: a journey
// that waits needs none of them.
func (j *journey) hear(ctx workflow.Context) {
	came := workflow.GetUnhandledSignalNames(ctx)
	if len(came) == 0 {
		return
	}
	on(ctx, j, came, SignalEvents, j.keep)
	on(ctx, j, came, SignalExpiry, func(c ExpiryChange) { j.state.Expiry, j.inbox.retimed = c.At, true })
	on(ctx, j, came, SignalTrigger, func(struct{}) {})
	on(ctx, j, came, SignalRedeemed, func(r Redeemed) { j.byHand(event.CodeRedeemed, r.Order) })
	on(ctx, j, came, SignalApplied, func(struct{}) { j.byHand(event.CodeApplied, "") })
	on(ctx, j, came, SignalExit, func(r ExitRequest) { j.inbox.exit = &r })
	on(ctx, j, came, SignalSkip, func(struct{}) { j.inbox.skips++ })
	on(ctx, j, came, SignalPause, func(struct{}) { j.state.Paused = true })
	on(ctx, j, came, SignalResume, func(struct{}) { j.state.Paused = false; j.inbox.resumes++ })
}

// on hands the signals of a name to set. A signal without input, as a person may send
// it, gives the zero payload.
func on[P any](ctx workflow.Context, j *journey, came []string, name string, set func(P)) {
	if !slices.Contains(came, name) {
		return
	}
	channel := workflow.GetSignalChannel(ctx, name)
	for {
		var payload P
		if !channel.ReceiveAsync(&payload) {
			return
		}
		set(payload)
		j.inbox.heard++
	}
}

// keep takes in a delivery, once.
func (j *journey) keep(d Delivery) {
	if slices.Contains(j.state.Seen, d.ID) {
		return
	}
	j.state.Seen = tail(append(j.state.Seen, d.ID))
	j.state.Pending = tail(append(j.state.Pending, d))
}

func tail[T any](list []T) []T { return list[max(0, len(list)-maxKept):] }

func (j *journey) byHand(kind, order string) {
	j.inbox.byHand = append(j.inbox.byHand, activities.ByHandInput{Journey: j.id, Kind: kind, Order: order})
}

// recordByHand puts what a person signalled before the dispatcher; it comes back
// as a delivery, as the webhook would.
func (j *journey) recordByHand(ctx workflow.Context) error {
	for len(j.inbox.byHand) > 0 {
		in := j.inbox.byHand[0]
		j.inbox.byHand = j.inbox.byHand[1:]
		if _, err := local(ctx, "record "+in.Kind+" signalled by hand", hands.RecordByHand, in); err != nil {
			return err
		}
	}
	return nil
}

// take looks at what has come, delivery by delivery, the oldest first: the arms of
// the await under way have the first choice, then the exits. What nothing takes is
// kept for a later await. It gives the arm that was taken, or -1; an exit that was
// taken is in j.exit.
func (j *journey) take(ctx workflow.Context, arms []campaign.Arm) int {
	j.hear(ctx)
	if j.exit != nil {
		return -1
	}
	if request := j.inbox.exit; request != nil {
		j.leave(request.Outcome)
		return -1
	}
	for d, delivery := range j.state.Pending {
		if arm := slices.IndexFunc(arms, func(a campaign.Arm) bool { return delivery.satisfies(a.Rule) }); arm >= 0 {
			j.use(d, arms[arm].Rule)
			return arm
		}
		if exit := slices.IndexFunc(j.plan.Exits, func(e campaign.Exit) bool { return delivery.satisfies(e.Rule) }); exit >= 0 {
			j.use(d, j.plan.Exits[exit].Rule)
			j.exit = &j.plan.Exits[exit]
			return -1
		}
	}
	return -1
}

// use takes a delivery out of those kept and remembers which of its events it was
// taken for.
func (j *journey) use(d int, rule string) {
	delivery := j.state.Pending[d]
	i := slices.IndexFunc(delivery.Events, func(e Event) bool { return slices.Contains(e.Rules, rule) })
	j.state.Event = delivery.Events[i].ID
	j.state.Pending = slices.Delete(j.state.Pending, d, d+1)
}

// label is what an outcome looks like. It becomes a label of metrics too, so what a
// person typed that isn't one ends the journey as stopped.
var label = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// leave takes an exit that the file doesn't name.
func (j *journey) leave(outcome string) {
	if !label.MatchString(outcome) {
		outcome = campaign.OutcomeStopped
	}
	j.exit = &campaign.Exit{Outcome: outcome, Then: campaign.End}
}

func (d Delivery) satisfies(rule string) bool {
	return rule != "" && slices.ContainsFunc(d.Events, func(e Event) bool { return slices.Contains(e.Rules, rule) })
}
