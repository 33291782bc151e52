"""Tests of the CloudFormation template."""
