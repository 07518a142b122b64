package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

func folder(t *testing.T, source string) store.Folder {
	t.Helper()
	file, problems := campaign.Parse("test.yaml", []byte(source))
	require.NoError(t, problems.Err())
	return store.Folder{Campaigns: file.Campaigns, Coupons: file.Coupons, Segments: file.Segments, Templates: map[string]map[string]string{"hello": {"email.txt": "Hello"}}}
}

const parkedCampaign = `campaign: welcome
trigger: {event: contact.opted_in}
entry: once
steps:
  - send: {email: hello}
`

// journeyOf puts a contact into version 1 of the campaign, parked for a reason.
func journeyOf(t *testing.T, s *store.Store, reason string) string {
	t.Helper()
	contact, err := s.ResolveContact(t.Context(), s.Pool, "api", event.Person{Identities: []event.Identity{{Kind: event.Email, Value: reason + "@example.com"}}}, noon)
	require.NoError(t, err)
	id := store.NewID(store.JourneyID)
	_, err = s.Pool.Exec(t.Context(), `INSERT INTO journey (id, campaign_id, version_no, contact_id, entry_key, entry_no, state, parked_step, parked_reason)
		SELECT $1, id, 1, $2, decode(md5($3), 'hex'), 1, 'parked', 'send_email_hello', $3 FROM campaign WHERE name = 'welcome'`, id, contact, reason)
	require.NoError(t, err)
	return id
}

func told(t *testing.T, s *store.Store) []string {
	t.Helper()
	rows, err := s.Pool.Query(t.Context(), `DELETE FROM outbox RETURNING journey_id || ' ' || name`)
	require.NoError(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return out
}

func TestApply_WakesJourneysThatWaitForTheirTemplate(t *testing.T) {
	t.Parallel()
	s := opened(t)
	f := folder(t, parkedCampaign)
	_, err := s.Apply(t.Context(), f, store.ApplyOptions{Actor: "test"})
	require.NoError(t, err)
	waiting, other := journeyOf(t, s, "render_error"), journeyOf(t, s, "campaign_paused")

	changes, err := s.Apply(t.Context(), f, store.ApplyOptions{Actor: "test"})
	require.NoError(t, err)
	require.Empty(t, told(t, s), "nothing was mended")
	require.EqualValues(t, 2, changes[len(changes)-1].Journeys[0].Journeys)

	f.Templates["hello"]["email.txt"] = "Hello, mended"
	_, err = s.Apply(t.Context(), f, store.ApplyOptions{DryRun: true, Actor: "test"})
	require.NoError(t, err)
	require.Empty(t, told(t, s), "a dry run tells nobody")
	_, err = s.Apply(t.Context(), f, store.ApplyOptions{Actor: "test"})
	require.NoError(t, err)
	require.Equal(t, []string{waiting + " resume"}, told(t, s))

	_, err = s.SetCampaignState(t.Context(), "welcome", store.CampaignRunning, "test")
	require.NoError(t, err)
	require.Equal(t, []string{other + " resume"}, told(t, s))
	n, err := s.SetCampaignState(t.Context(), "welcome", store.CampaignStopped, "test")
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.ElementsMatch(t, []string{waiting + " exit", other + " exit"}, told(t, s))
}

func TestApply_ChangesNothingWhereOneDocumentCantBeApplied(t *testing.T) {
	t.Parallel()
	s := opened(t)
	_, err := s.Apply(t.Context(), folder(t, "coupon: ten\ndiscount: {percentage: 10}\ncodes: {shared: TEN}\n"), store.ApplyOptions{Actor: "test"})
	require.NoError(t, err)
	_, err = s.Apply(t.Context(), folder(t, parkedCampaign+"---\ncoupon: ten\ndiscount: {percentage: 10}\ncodes: {list: true}\n"), store.ApplyOptions{Actor: "test"})
	require.ErrorIs(t, err, store.ErrPoolChanged)
	campaigns, err := s.Campaigns(t.Context(), store.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, campaigns)
}

func TestWhy_SpeaksInSentences(t *testing.T) {
	t.Parallel()
	s := opened(t)
	_, err := s.Apply(t.Context(), folder(t, parkedCampaign), store.ApplyOptions{Actor: "test"})
	require.NoError(t, err)
	journey, err := s.Journey(t.Context(), s.Pool, journeyOf(t, s, "render_error"))
	require.NoError(t, err)
	_, err = s.Pool.Exec(t.Context(), `INSERT INTO refusal (campaign_id, contact_id, reason) VALUES ($1, $2, 'cooldown')`, journey.CampaignID, journey.ContactID)
	require.NoError(t, err)
	explanations, err := s.Why(t.Context(), journey.ContactID, "")
	require.NoError(t, err)
	require.Len(t, explanations, 2)
	require.Equal(t, "entered version 1 and is parked at send_email_hello: the template could not be rendered; mend it and run `scrip apply`", explanations[0].Sentence)
	require.Equal(t, "the contact entered too recently (entry.cooldown)", explanations[1].Sentence)
	_, err = s.Why(t.Context(), journey.ContactID, "missing")
	require.ErrorIs(t, err, store.ErrNotFound)
}

// parked is a message whose outcome nobody knows, of a journey or, with "", a test.
func parked(t *testing.T, s *store.Store, journey string) string {
	t.Helper()
	id := store.NewID(store.MessageID)
	_, err := s.Pool.Exec(t.Context(), `INSERT INTO message (id, send_key, journey_id, step, channel, kind, connection, state, attempt)
		VALUES ($1, $1, nullif($2, ''), 'send_email_hello', 'email', 'marketing', 'email', 'parked', 1)`, id, journey)
	require.NoError(t, err)
	return id
}

func TestResolveMessage_SettlesByAPersonsWord(t *testing.T) {
	t.Parallel()
	s := opened(t)
	_, err := s.Apply(t.Context(), folder(t, parkedCampaign), store.ApplyOptions{Actor: "test"})
	require.NoError(t, err)
	journey := journeyOf(t, s, "unknown_outcome")
	for verdict, state := range map[string]string{store.VerdictAccepted: store.MessageAccepted, store.VerdictResend: store.MessageReserved, store.VerdictGiveUp: store.MessageRefused} {
		id := parked(t, s, journey)
		require.NoError(t, s.ResolveMessage(t.Context(), id, verdict, "test"))
		m, err := s.Message(t.Context(), s.Pool, id)
		require.NoError(t, err)
		require.Equal(t, state, m.State)
		require.Equal(t, []string{journey + " resume"}, told(t, s))
		require.ErrorIs(t, s.ResolveMessage(t.Context(), id, verdict, "test"), store.ErrNotUnsettled)
	}
}

func TestResolveMessage_RefusesToSendAgainWhatNothingWouldSend(t *testing.T) {
	t.Parallel()
	s := opened(t)
	_, err := s.Apply(t.Context(), folder(t, parkedCampaign), store.ApplyOptions{Actor: "test"})
	require.NoError(t, err)
	over := journeyOf(t, s, "unknown_outcome")
	_, err = s.EndJourney(t.Context(), store.Ending{Journey: over, Outcome: "redeemed"})
	require.NoError(t, err)
	past := journeyOf(t, s, "skipped")
	require.NoError(t, s.UnparkJourney(t.Context(), s.Pool, past))
	for name, journey := range map[string]string{"a message whose journey is over": over, "one whose journey is past it": past, "a test": ""} {
		id := parked(t, s, journey)
		require.ErrorIs(t, s.ResolveMessage(t.Context(), id, store.VerdictResend, "test"), store.ErrNobodySends, name)
		require.NoError(t, s.ResolveMessage(t.Context(), id, store.VerdictGiveUp, "test"), name)
		require.ErrorIs(t, s.ResolveMessage(t.Context(), id, store.VerdictResend, "test"), store.ErrNotUnsettled, name)
	}
}
