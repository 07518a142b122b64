package starter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

// Errors that a Temporal tells apart. Every other error means that it can't be
// reached or isn't well: nothing is wrong with the row, and everything waits.
var (
	// ErrGone: the journey's workflow is over or unknown.
	ErrGone = errors.New("the workflow is over")
	// ErrRefused: what was sent will never be taken.
	ErrRefused = errors.New("the request was refused for ever")
	// ErrHeld: nothing is wrong with Temporal, but this journey has to wait.
	ErrHeld = errors.New("the journey is held")
)

// Temporal is told what stands in the outbox. Telling it again is harmless.
type Temporal interface {
	Start(context.Context, store.OutboxRow) error
	Signal(context.Context, store.OutboxRow) error
	Cancel(context.Context, store.OutboxRow) error
}

// Client is Temporal through its SDK, over a connection that was made with
// SignalOnce.
type Client struct {
	client.Client
	Store *store.Store
	Clock campaign.Clock
}

var _ Temporal = (*Client)(nil)

// Search attributes of a journey, set when it starts.
var (
	attributeCampaign = temporal.NewSearchAttributeKeyKeyword(workflows.AttributeCampaign)
	attributeContact  = temporal.NewSearchAttributeKeyKeyword(workflows.AttributeContact)
	attributeVersion  = temporal.NewSearchAttributeKeyInt64(workflows.AttributeVersion)
)

// Start starts a journey's workflow, unless it is running or has run, or the
// journey is over.
func (c *Client) Start(ctx context.Context, row store.OutboxRow) error {
	journey, err := c.Store.Journey(ctx, c.Store.Pool, row.JourneyID)
	if err != nil {
		return err
	}
	if journey.State != "pending" && journey.State != "running" {
		return ErrGone
	}
	version, err := c.Store.Version(ctx, c.Store.Pool, journey.CampaignID, journey.Version)
	var unreadable *store.Unreadable
	if errors.As(err, &unreadable) {
		return fmt.Errorf("%w: %w", ErrHeld, unreadable)
	}
	if err != nil {
		return err
	}
	// On a development clock each journey begins today.
	clock := c.Clock
	if clock != (campaign.Clock{}) {
		clock.Start = journey.CreatedAt
	}
	_, err = c.ExecuteWorkflow(WithTraceparent(ctx, row.Trace), client.StartWorkflowOptions{
		ID:                       workflows.JourneyWorkflowID(journey.Campaign, journey.ID),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		EnableEagerStart:         true, // where a worker is in this process, its first task comes with the answer
		StaticSummary:            fmt.Sprintf("%s v%d", journey.Campaign, journey.Version),
		StaticDetails:            fmt.Sprintf("contact `%s`\n\n`scrip journey show %s`", journey.ContactID, journey.ID),
		TypedSearchAttributes: temporal.NewSearchAttributes(attributeCampaign.ValueSet(journey.Campaign),
			attributeContact.ValueSet(journey.ContactID), attributeVersion.ValueSet(int64(journey.Version))),
	}, workflows.JourneyType, workflows.JourneyInput{Journey: journey.ID, Plan: version.Program.Plan, Clock: clock})
	return classify("starting a journey", err)
}

// Signal sends a signal to a journey's workflow.
func (c *Client) Signal(ctx context.Context, row store.OutboxRow) error {
	var payload any = json.RawMessage(row.Payload)
	if string(row.Payload) == "null" {
		payload = nil
	}
	id := workflows.JourneyWorkflowID(row.Campaign, row.JourneyID)
	ctx = asRequestOf(WithTraceparent(ctx, row.Trace), row)
	return classify("signalling a journey", c.SignalWorkflow(ctx, id, "", row.Name, payload))
}

// Cancel asks a journey's workflow to end.
func (c *Client) Cancel(ctx context.Context, row store.OutboxRow) error {
	id := workflows.JourneyWorkflowID(row.Campaign, row.JourneyID)
	return classify("cancelling a journey", c.CancelWorkflow(WithTraceparent(ctx, row.Trace), id, ""))
}

func classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	var notFound *serviceerror.NotFound
	var invalid *serviceerror.InvalidArgument
	switch {
	case errors.As(err, &started): // it ran before: what was asked for has happened
		return nil
	case errors.As(err, &notFound):
		return fmt.Errorf("%s: %w", doing, ErrGone)
	case errors.As(err, &invalid) && strings.Contains(invalid.Message, "search attribute"):
		// The namespace lacks them, or doesn't know them yet: no journey's fault.
		return fmt.Errorf("%s: %s; `scrip doctor` says which search attributes are missing", doing, invalid.Message)
	case errors.As(err, &invalid):
		return fmt.Errorf("%s: %w: %s", doing, ErrRefused, invalid.Message)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
