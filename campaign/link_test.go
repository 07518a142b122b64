package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/campaign"
)

// texts is a template by channel and the variables it reads.
type texts map[string][]string

func (x texts) Channels() []string {
	var out []string
	for channel := range x {
		out = append(out, channel)
	}
	return out
}

func (x texts) Variables(channel string) []string { return x[channel] }

const coupons = `---
coupon: ten
discount: {percentage: 10}
codes: {generate: "X-########"}
valid_for: 7d
on_empty: skip
`

func link(t *testing.T, src string) campaign.Problems {
	t.Helper()
	file, problems := campaign.Parse("f.yaml", []byte(src))
	require.NoError(t, problems.Err())
	return campaign.Link([]*campaign.File{file}, campaign.Project{
		Templates: map[string]campaign.Template{
			"plain":   texts{"email": {"contact.first_name", "unsubscribe_url", "now"}, "sms": nil},
			"coded":   texts{"email": {"code", "code.expires_at"}},
			"evented": texts{"email": {"event.total"}}, "stepped": texts{"email": {"steps.score.json"}}, "odd": texts{"email": {"cotnact.name"}}, "given": texts{"email": {"reason"}},
		},
		Connections: map[string]string{"email": "sendgrid"},
		Teams:       []string{"service"},
		Currency:    "EUR",
		Liquid:      func(text string) ([]string, error) { return []string{text}, nil },
	})
}

func TestLink_FindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ src, want string }{
		"coupon":               {manual + "steps:\n  - send: {email: plain, coupon: tem}\n" + coupons, "f.yaml:4:5: there is no coupon `tem`; did you mean `ten`?"},
		"set":                  {manual + "steps:\n  - assign: ten/gold\n" + coupons, "has no set `gold`"},
		"template":             {manual + "steps:\n  - send: {email: plane}\n", "there is no template `plane`; did you mean `plain`?"},
		"channel":              {manual + "steps:\n  - send: {sms: coded}\n", "the template `coded` has no text for sms; it has `email`"},
		"connection":           {manual + "steps:\n  - call: {connection: fraud}\n", "there is no connection `fraud`"},
		"team":                 {manual + "steps:\n  - notify: {servicee: now}\n", "there is no team `servicee`; did you mean `service`?"},
		"owner":                {manual + "owner: nobody\nsteps:\n  - end: true\n", "there is no team `nobody`"},
		"segment":              {manual + "steps:\n  - if: contact.in_segment(\"vip\")\n    tag: x\n", "there is no segment `vip`"},
		"held coupon":          {manual + "steps:\n  - if: contact.holds(\"tenn\")\n    tag: x\n" + coupons, "there is no coupon `tenn`"},
		"code before it":       {manual + "steps:\n  - send: {email: coded}\n  - assign: ten\n" + coupons, "the template `coded` reads `code`, but no code is assigned"},
		"code after its else":  {manual + "steps:\n  - send: {email: plain, coupon: ten}\n    else: [{send: {email: coded}}]\n" + coupons, "reads `code`"},
		"event outside an arm": {manual + "steps:\n  - await: [{event: a.b}, {after: 1d}]\n  - send: {email: evented}\n", "only inside the arm"},
		"event of a clock":     {manual + "steps:\n  - await:\n      - event: a.b\n      - after: 1d\n        then: [{send: {email: evented}}]\n", "only inside the arm"},
		"step before":          {manual + "steps:\n  - send: {email: stepped}\n  - id: score\n    call: {connection: email}\n", "no step `score` stands before"},
		"step of an if":        {manual + "steps:\n  - if: steps.scor.status == \"done\"\n    tag: x\n", "reads `steps.scor.status`, but no step `scor`"},
		"variable":             {manual + "steps:\n  - send: {email: odd}\n", "which is not known; did you mean `contact`?"},
		"with":                 {manual + "steps:\n  - send: {email: given}\n", "reads `reason`"},
		"notify's text":        {manual + "steps:\n  - notify: {service: code}\n", "the text reads `code`"},
		"call's text":          {manual + "steps:\n  - call: {connection: email, json: {a: [{b: code}]}}\n", "the text reads `code`"},
		"path":                 {manual + "steps:\n  - wait: {until: code.expires_at}\n", "`until` reads `code.expires_at`"},
		"lifetime":             {manual + "lifetime: 7d\nsteps:\n  - wait: 2d\n  - assign: ten\n  - wait: {until: expiry}\n" + coupons, "takes 9d and its lifetime is 1w; set `lifetime: 9d`"},
		"lifetime of arms":     {manual + "lifetime: 3d\nsteps:\n  - await:\n      - event: a.b\n        then: [{wait: 2d}]\n      - after: 2d\n", "takes 4d"},
		"lifetime of a guard":  {manual + "lifetime: 3d\nsteps:\n  - wait: 2d\n  - if: contact.reachable()\n    wait: 2d\n", "takes 4d"},
		"fallback":             {"coupon: a\ndiscount: {percentage: 1}\ncodes: {list: true}\non_empty: {fallback: b}\n", "there is no coupon `b`"},
		"circle":               {"coupon: a\ndiscount: {percentage: 1}\ncodes: {list: true}\non_empty: {fallback: b}\n---\ncoupon: b\ndiscount: {percentage: 1}\ncodes: {list: true}\non_empty: {fallback: a}\n", "go round in a circle: a -> b -> a"},
		"twice":                {manual + "steps:\n  - end: true\n---\n" + manual + "steps:\n  - end: true\n", "the campaign `a` stands in f.yaml:1:1 too"},
		"after an end":         {manual + "steps:\n  - end: true\n  - tag: x\n", "f.yaml:5:5: no journey comes to this step"},
		"after two ends":       {manual + "steps:\n  - if: contact.reachable()\n    then: [{end: a}]\n    else: [{end: b}]\n  - tag: x\n", "no journey comes to this step"},
		"after an await's end": {manual + "steps:\n  - await:\n      - event: a.b\n        then: [{end: a}]\n      - after: 1d\n        then: [{end: b}]\n  - tag: x\n", "no journey comes to this step"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, link(t, c.src).Err(), c.want)
		})
	}
}

func TestLink_WarnsOfWhatIsAllowedAndUnwise(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"coupon: a\ndiscount: {percentage: 1}\ncodes: {generate: \"X-######\"}\n":             "can be guessed: 6 random characters are too few; use at least 7 #",
		"coupon: a\ndiscount: {percentage: 1}\ncodes: {shop: \"X-########\", alphabet: AB}\n": "use at least 34 #",
		"coupon: a\ndiscount: {amount: 1, currency: USD}\ncodes: {list: true}\n":              "is in USD, the project counts in EUR",
		manual + "steps:\n  - await: [{event: a.b}]\n":                                        "has no clock",
	} {
		problems := link(t, src)
		require.NoError(t, problems.Err())
		require.Len(t, problems, 1)
		require.Contains(t, problems.Error(), want)
		require.Contains(t, problems[0].String(), "warning: ")
	}
}

func TestLink_TakesWhatHasAllItNeeds(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		manual + "steps:\n  - send: {email: coded, coupon: ten}\n  - wait: {until: expiry}\n" + coupons,
		manual + "steps:\n  - if: contact.reachable()\n    assign: ten\n  - send: {email: coded}\n" + coupons,
		manual + "steps:\n  - await:\n      - event: a.b\n        then: [{send: {email: evented}}]\n      - after: 1d\n",
		manual + "steps:\n  - id: score\n    call: {connection: email}\n  - send: {email: stepped}\n",
		manual + "steps:\n  - send: {email: given, with: {reason: x}}\n",
		manual + "steps:\n  - if: contact.reachable()\n    end: true\n  - tag: x\n",
		manual + "exit:\n  - event: a.b\n    then: [{notify: {service: code}}]\nsteps:\n  - assign: ten\n" + coupons,
	} {
		problems := link(t, src)
		require.Empty(t, problems, "%s", problems.Error())
	}
}
