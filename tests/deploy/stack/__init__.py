"""Tests of the Lambda function, by itself and as its zip."""
