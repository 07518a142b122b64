package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
)

func TestLook_FindsWhatADocumentOfANewerBuildListensTo(t *testing.T) {
	t.Parallel()
	g := campaign.Look([]byte(`campaign: future
trigger: {event: [cart.left, checkout.updated], unheard_of: 1}
exit: [{event: order.created, match: checkout_token}]
steps:
  - teleport: [{event: code.applied}]
`))
	require.Equal(t, "future", g.Name)
	require.Equal(t, []string{"cart.left", "checkout.updated"}, g.Triggers)
	require.ElementsMatch(t, []campaign.Rule{{Events: []string{"code.redeemed"}},
		{Events: []string{"order.created"}, Match: "checkout_token"}, {Events: []string{"code.applied"}}}, g.Rules)
	require.Equal(t, []string{"manual"}, campaign.Look([]byte("campaign: a\ntrigger: manual\n")).Triggers)
	require.Empty(t, campaign.Look([]byte("{{{")))
}
