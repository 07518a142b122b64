package store

import (
	_ "embed"
	"strings"
	"sync"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// zonesText lists the countries in which it is the same time everywhere, each
// with its zone. Source: zone.tab of the IANA time zone database, 2026.
//
//go:embed zones.txt
var zonesText string

var zoneOfCountry = sync.OnceValue(func() map[string]string {
	zones := map[string]string{}
	for line := range strings.Lines(zonesText) {
		country, zone, _ := strings.Cut(strings.TrimSpace(line), " ")
		zones[country] = zone
	}
	return zones
})

// Location gives the zone in which the contact lives: the contact's own, else
// that of the country of the profile or of a phone where it has only one, else
// the given one.
func (c *Contact) Location(fallback *time.Location) *time.Location {
	if zone := locate(c.TimeZone); zone != nil {
		return zone
	}
	if zone := locate(zoneOfCountry()[strings.ToUpper(c.Country)]); zone != nil {
		return zone
	}
	for _, phone := range c.Phones {
		number, err := phonenumbers.Parse(phone, "")
		if err != nil {
			continue
		}
		if zone := locate(zoneOfCountry()[phonenumbers.GetRegionCodeForNumber(number)]); zone != nil {
			return zone
		}
	}
	return fallback
}

func locate(name string) *time.Location {
	if name == "" || name == "Local" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}
