package bounds

import (
	"testing"

	"scrip.dev/scrip/prove/control"
)

// Without any one of these the proof beside it fails.
func TestControl_EscapingIsMissed(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "escaping in HTML", File: "template/tags.go",
		Old: "		out = html.EscapeString(out)\n", New: "		_ = html.EscapeString\n",
		Package: "./prove/bounds", Proof: "TestHTML_HasOnlyTheTagsOfItsTemplate", Says: "gives other tags",
	})
}

func TestControl_TheCheckOfLinksIsMissed(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the check of links", File: "template/markup.go",
		Old: "			return tagLink\n", New: "			return tagPrint\n",
		Package: "./prove/bounds", Proof: "TestHTML_HasOnlyTheTagsOfItsTemplate", Says: "leads to",
	})
}

func TestControl_TheLimitOfLoopsIsMissed(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the limit of loops", File: "template/budget.go",
		Old:     "	if r.turns++; r.turns > maxTurns {\n		return r.fail(ErrTooLong)\n	}\n	return r.spend(pieces, bytes)\n",
		New:     "	_, _ = pieces, maxTurns\n	return r.spend(0, bytes+1)\n",
		Package: "./prove/bounds", Proof: "TestTemplates_EndWithinTheirBounds/a_range_of_a_thousand_million", Says: "the loops take too many turns",
	})
}

func TestControl_TheLimitOfWhatIsMadeIsMissed(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the limit of what filters and captures make", File: "template/budget.go",
		Old: "r.made > maxMade", New: "r.made < 0",
		Package: "./prove/bounds", Proof: "TestTemplates_EndWithinTheirBounds/captures_that_double", Says: "captures that double",
	})
}

func TestControl_SealingIsMissed(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the sealing of Go values", File: "template/sealed.go",
		Old: "own[name] = sealed(value)", New: "own[name] = value",
		Package: "./prove/bounds", Proof: "TestTemplates_ReachNoMethodsAndNoFields", Says: "reaches something",
	})
}

func TestControl_TheLimitOfCostsIsMissed(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the limit of an expression's costs", File: "campaign/condition.go",
		Old: "cel.CostLimit(maxCost), ", New: "",
		Package: "./prove/bounds", Proof: "TestConditions_EndWithinTheirBounds/exists_in_exists", Says: "cost limit exceeded",
	})
}

func TestControl_TheLimitOfAdditionsIsMissed(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the limit of additions", File: "campaign/condition.go",
		Old: "cel.CustomDecoratorV2(boundAdditions), ", New: "",
		Package: "./prove/bounds", Proof: "TestConditions_EndWithinTheirBounds/a_text_that_doubles", Says: "a text that doubles",
	})
}

func TestControl_TheGuardOfAddressesIsMissed(t *testing.T) {
	for _, proof := range []string{"TestCalls_ReachNoPrivateAddress", "TestCalls_AreNotReboundToAPrivateAddress"} {
		control.Miss(t, control.Safeguard{
			Name: "the guard of addresses", File: "integrations/http.go",
			Old: "		dialer.Control = refusePrivate\n", New: "		_ = refusePrivate\n",
			Package: "./prove/bounds", Proof: proof, Says: "An error is expected",
		})
	}
}

func TestControl_TheRuleOfRedirectsIsMissed(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the rule of redirects", File: "integrations/http.go",
		Old: "CheckRedirect: sameHostOnly}", New: "CheckRedirect: nil}",
		Package: "./prove/bounds", Proof: "TestCalls_AreNotRedirectedToAPrivateAddress", Says: "to http",
	})
}
