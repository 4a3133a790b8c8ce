"""A ROS 2 node: images of a camera in, depth in metres and its camera_info out. It needs ROS 2 (rclpy, sensor_msgs).

python examples/06_ros2_depth_node.py --ros-args -p model:=runs/drive \\
    -r image:=/cam/image_rect -r camera_info:=/cam/camera_info
"""

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from selfdepth.errors import SelfDepthError
from selfdepth.inference.ros_depth import RosDepth


class DepthNode(Node):
    def __init__(self) -> None:
        super().__init__("selfdepth")
        self.depth = RosDepth.load(self.declare_parameter("model", "runs/drive").value)
        self.info = None
        # Cameras send at best effort. Of a queue of one, the newest image is left when the last one is done.
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CameraInfo, "camera_info", lambda info: setattr(self, "info", info), newest)
        self.create_subscription(Image, "image", self.predict, newest)
        # Reliable, which serves subscribers of either kind.
        self.depth_topic = self.create_publisher(Image, "depth/image_rect", 1)
        self.info_topic = self.create_publisher(CameraInfo, "depth/camera_info", 1)

    def predict(self, image) -> None:
        try:
            self.depth_topic.publish(Image(header=image.header, **self.depth.fields(image, self.info)))
        except SelfDepthError as error:  # the next image may be whole
            self.get_logger().error(str(error), throttle_duration_sec=5.0)
            return
        if self.info is not None:  # depth has the pixels of the image, so the image's camera is its own
            self.info.header = image.header
            self.info_topic.publish(self.info)


if __name__ == "__main__":
    rclpy.init()
    try:
        rclpy.spin(DepthNode())
    except SelfDepthError as error:
        raise SystemExit(f"error: {error}") from None
    except KeyboardInterrupt:
        pass
