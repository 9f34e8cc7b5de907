package main

import (
	"reflect"
	"testing"

	"prilavok/domain"
)

// The defaults stand twice: for operators in the tags of Config, for tests of
// the domain in DefaultSettings. They must not drift.
func TestSettingsDefaults(t *testing.T) {
	c, err := LoadConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, want := c.settings(), domain.DefaultSettings()
	got.PhoneRegions = append([]string(nil), got.PhoneRegions...)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Config gives %+v,\nDefaultSettings %+v", got, want)
	}
}
