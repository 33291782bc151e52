"""Where the servers of the tests differ from AWS, and which tests inject what AWS does instead.

Each test that is named here is looked for: one that is renamed or removed fails this module.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DIFFERENCES: dict[str, tuple[str, ...]] = {
    "DynamoDB throttles, and refuses what a transaction holds (TransactionConflict); no emulator does": (
        "stores/trackers/test_dynamodb_faults.py::test_h12_throttling_is_repeated_and_no_failed_condition",
        "stores/trackers/test_dynamodb_faults.py::test_h12_throttling_without_end_is_an_error",
        "stores/trackers/test_dynamodb_faults.py::test_h12_throttling_and_lost_answers_under_load_count_exactly",
        "stores/trackers/test_dynamodb_faults.py::test_a_throttled_duplicate_is_a_duplicate_all_the_same",
        "join/test_hazards.py::test_h12_throttling_is_patience_and_no_answer",
    ),
    "a failed condition may come without the old item (dynalite never has it, MiniStack always)": (
        "stores/trackers/test_dynamodb_faults.py::test_a_failed_condition_without_its_item_is_read_consistently",
        "stores/trackers/test_dynamodb_faults.py::test_a_failed_condition_with_its_item_needs_no_read",
    ),
    "an answer is lost after the request was applied; emulators on the loopback interface lose none": (
        "stores/trackers/test_dynamodb_faults.py::test_h4_lost_responses_change_nothing",
        "join/test_hazards.py::test_h4_a_lost_response_counts_once",
        "stores/sinks/test_s3.py::test_a_lost_answer_is_survived",
        "stores/sinks/test_s3.py::test_a_claim_whose_answer_was_lost_is_still_ours",
    ),
    "BatchGetItem leaves keys out when it is throttled": (
        "stores/trackers/test_dynamodb_faults.py::test_what_a_batch_leaves_out_is_asked_for_again",
    ),
    "S3 answers 409 ConditionalRequestConflict to conditional writes that meet": (
        "stores/sinks/test_s3.py::test_a_conflict_of_conditional_writes_is_repeated",
        "stores/sinks/test_as_aws.py::test_each_request_of_an_upload_is_repeated",
    ),
    "S3 answers 503 SlowDown above a prefix's rate": (
        "stores/sinks/test_s3.py::test_what_may_be_repeated_is_repeated",
        "stores/sinks/test_s3.py::test_throttling_without_end_is_told",
        "stores/sinks/test_as_aws.py::test_each_request_of_an_upload_is_repeated",
        "stores/sinks/test_as_aws.py::test_a_copied_range_is_asked_for_again",
        "stores/sinks/test_as_aws.py::test_listing_is_repeated",
        "stores/sources/test_s3.py::test_throttled_reads_are_repeated",
        "e2e/test_exit_codes.py::test_what_may_be_retried_is_retried",
    ),
    "S3 refuses parts under 5 MiB (EntityTooSmall) when the upload is completed; MiniStack takes them": (
        "stores/sinks/test_s3_limits.py::test_parts_fit_s3s_limits",
        "stores/sinks/test_as_aws.py::test_parts_that_are_too_small_are_told_and_undone",
    ),
    "S3 copies no range of an object of 5 MB or less (InvalidRequest); SeaweedFS does": (
        "e2e/test_as_aws.py::test_no_range_of_a_small_export_is_copied",
        "e2e/test_as_aws.py::test_copies_that_s3_calls_invalid_are_streamed",
        "stores/sinks/test_s3.py::test_a_refused_copy_says_so",
    ),
    "compatible stores know no CRC-64/NVME, or no conditions; S3 does": (
        "e2e/test_s3.py::test_store_that_does_not_know_the_checksums",
        "stores/sinks/test_s3.py::test_a_store_without_conditions_is_asked_first",
    ),
    "S3 sends keys url-encoded as in a form (a space is +), EventBridge does not; SeaweedFS sends no events": (
        "join/test_events.py::test_keys_are_decoded_exactly_once",
        "join/test_events.py::test_every_form_names_the_same_chunk",
        "join/test_hazards.py::test_h9_any_client_is_told_from_its_date_and_numbers",
    ),
    "S3's events come late: after the join, after --force, when their object is gone": (
        "join/test_worker.py::test_an_event_after_the_join_is_acknowledged_and_nothing_loaded",
        "join/test_worker.py::test_an_older_generation_is_acknowledged",
        "join/test_worker.py::test_an_object_that_is_gone_is_a_failure_until_the_job_is_joined",
        "join/test_hazards.py::test_h5_the_same_name_split_again_is_refused_or_a_new_generation",
        "join/test_hazards.py::test_h6_the_same_file_delivered_again_after_the_join_changes_nothing",
    ),
    "S3's events come twice, and in any order": (
        "join/test_hazards.py::test_h1_a_duplicate_event_is_neither_an_early_join_nor_none",
        "../splitjoin_cli/testing/trackers.py::test_delivered_twice_to_32_threads_every_chunk_counts_once",
    ),
    "other tools store chunks without metadata, and count with the published expression": (
        "e2e/test_interop.py::test_chunks_of_other_tools_are_loaded_counted_and_joined",
        "e2e/test_interop.py::test_a_chunk_that_another_tool_changed_is_told",
        "e2e/test_interop.py::test_a_published_function_counts_beside_ours",
        "e2e/test_interop.py::test_a_job_that_only_a_published_function_counts",
    ),
    "credentials expire and are denied for one prefix; emulators ask for none, or for all": (
        "e2e/test_credentials.py::test_a_split_says_what_its_credentials_lack",
        "e2e/test_credentials.py::test_some_keys_are_denied",
    ),
    "Aurora keeps a history of what it loaded from S3; MariaDB has none": (
        "stores/loaders/test_aurora.py::test_the_history_of_aurora_mysql",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_each_difference_has_its_tests(difference: str) -> None:
    """They are there, by name."""
    for test in DIFFERENCES[difference]:
        file, _, name = test.partition("::")
        assert re.search(rf"^ *def {name}\(", (TESTS / file).read_text(), flags=re.MULTILINE), test
