"""DICOM waveforms: units, groups, padding, and what is refused. The real file is pydicom's."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from diascope.core import registry
from diascope.core.errors import UnreadableFile
from diascope.formats import format_of

FORMAT = registry.get("formats", "dicom_waveform")
REAL = Path("../shared/data/dicom/pydicom/src/pydicom/data/test_files/waveform_ecg.dcm")
STORED = np.array([[1, 10], [2, 20], [-32768, 30], [4, 40]], "<i2")


def a_channel(name, **elements):
    channel, source, unit = Dataset(), Dataset(), Dataset()
    source.CodeMeaning, unit.CodeValue = name, "uV"
    channel.ChannelSourceSequence, channel.ChannelSensitivityUnitsSequence = [source], [unit]
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = "2.5", "2", "1"
    for key, value in elements.items():
        setattr(channel, key, value)
    return channel


def a_group(**elements):
    group = Dataset()
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples, group.SamplingFrequency = 2, 4, "500"
    group.WaveformOriginality, group.MultiplexGroupLabel = "ORIGINAL", "RHYTHM"
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformData = STORED.tobytes()
    group.ChannelDefinitionSequence = [a_channel("Lead I (Einthoven)"), a_channel("Lead V1")]
    for key, value in elements.items():
        setattr(group, key, value)
    return group


def a_file(folder, *groups):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.9.1.2"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality, dataset.PatientName = "ECG", "Nobody^At^All"
    dataset.WaveformSequence = list(groups)
    dataset.save_as(folder / "a.dcm", enforce_file_format=True)
    return folder / "a.dcm"


def test_sensitivity_correction_baseline_and_units(tmp_path):
    path = a_file(tmp_path, a_group())
    signal = FORMAT.read([path])
    assert (signal.channels, signal.units, signal.rate) == (("I", "V1"), ("uV", "uV"), 500.0)
    assert signal.values[:, 1].tolist() == [51, 101, 151, 201]
    assert (format_of(path, "signal"), format_of(path)) == ("dicom_waveform", None)
    assert "Nobody" not in repr(signal)


def test_padding_is_a_gap_and_skew_moves_a_channel(tmp_path):
    late = a_channel("Lead V1", ChannelSampleSkew="1")
    group = a_group(WaveformPaddingValue=np.int16(-32768).tobytes(), ChannelDefinitionSequence=[a_channel("I"), late])
    values = FORMAT.read([a_file(tmp_path, group)]).values
    assert np.isnan(values[:, 0]).tolist() == [False, False, True, False]
    assert np.array_equal(values[:, 1], np.array([np.nan, 51, 101, 151], np.float32), equal_nan=True)


def test_what_was_computed_is_not_read_unless_it_is_asked_for(tmp_path):
    path = a_file(tmp_path, a_group(), a_group(WaveformOriginality="DERIVED", MultiplexGroupLabel="MEDIAN BEAT"))
    assert "MEDIAN BEAT" in FORMAT.read([path]).history[0]
    assert FORMAT.read([path], "group:1").values.shape == (4, 2)


def test_groups_that_were_recorded_together_lie_side_by_side(tmp_path):
    signal = FORMAT.read([a_file(tmp_path, a_group(), a_group())])
    assert signal.channels == ("I", "V1", "I (3)", "V1 (4)")


@pytest.mark.parametrize(
    ("groups", "why"),
    [
        ([], "holds no waveform"),
        ([a_group(WaveformData=b"12")], "truncated"),
        ([a_group(SamplingFrequency="0")], "no usable waveform"),
        ([a_group(NumberOfWaveformChannels=3)], "of which 2 are described"),
        ([a_group(WaveformSampleInterpretation="MB", WaveformBitsAllocated=8)], "not read"),
        ([a_group(), a_group(SamplingFrequency="250")], "group:1"),
    ],
)
def test_a_broken_waveform_is_refused_with_the_reason(groups, why, tmp_path):
    with pytest.raises(UnreadableFile, match=why):
        FORMAT.read([a_file(tmp_path, *groups)])


def test_a_group_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="group:0"):
        FORMAT.read([a_file(tmp_path, a_group())], "group:1")


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/data")
def test_a_real_ecg_is_read_as_pydicom_reads_it():
    signal = FORMAT.read([REAL])
    expected = pydicom.dcmread(REAL).waveform_array(0)
    assert signal.channels[:4] == ("I", "II", "III", "aVR")
    assert np.allclose(signal.values, expected, atol=1e-3)
    assert (signal.rate, signal.values.shape) == (1000.0, (10000, 12))
